"""The dashboard server: its endpoints from the database, and the built web app."""
