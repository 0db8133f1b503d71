"""The status server over HTTP: its endpoints, and the application with its middleware."""
