"""The sources of documents; each has a package of its own."""
