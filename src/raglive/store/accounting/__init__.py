"""What embedding costs: usage, and the reservations that keep it within a budget."""
