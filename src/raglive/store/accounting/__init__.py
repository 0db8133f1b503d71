"""What embedding has cost, and what is kept so that nothing is paid for twice."""
