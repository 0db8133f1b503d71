"""Questions to the index."""
