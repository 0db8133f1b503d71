"""The HTTP endpoints of the status server."""
