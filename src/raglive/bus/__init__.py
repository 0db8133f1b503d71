"""Hints, conflated events and pipes between processes; the log alone is authoritative."""
