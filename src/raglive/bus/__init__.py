"""Hints and conflated events between processes; nothing here is the truth."""
