"""The processes of one machine: started together, restarted alone, found by other commands."""
