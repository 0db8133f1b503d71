"""The log of events, and what is read from it for viewers."""
