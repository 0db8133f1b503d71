"""Rooms, joining them, replay, and back-pressure."""
