"""Pipelines, their files and the work on them."""
