"""Pipelines, their files, and the jobs that process the files."""
