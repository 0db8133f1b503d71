"""From a watched file to searchable chunks: watchers, extraction, chunking, embedding, worker."""
