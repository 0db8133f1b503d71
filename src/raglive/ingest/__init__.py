"""From a queued file to searchable chunks: worker, attempt, chunking, storing."""
