"""Follows the log: hints, polling, catching up, recovery."""
