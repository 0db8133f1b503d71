"""Chunks and their vectors: storing, searching, reindexing, and checking them."""
