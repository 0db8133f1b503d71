"""Search in the index: requests, hybrid ranking, and the embedder of questions."""
