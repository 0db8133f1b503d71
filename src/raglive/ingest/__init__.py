"""From a queued file to searchable chunks: worker, attempts, embedding and group commit."""
