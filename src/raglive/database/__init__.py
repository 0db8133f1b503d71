"""Everything durable, in Postgres: the log, the registry, the documents; and the server itself."""
