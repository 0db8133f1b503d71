"""What leaves the process: events, cursor, digest, permissions, errors. Pure rules, no I/O."""
