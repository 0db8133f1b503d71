"""Hints and conflated events between processes; the log alone is authoritative."""
