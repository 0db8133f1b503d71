"""What raglive watches; each source has a package of its own."""
