"""Connected viewers: their rights, token expiry, time-outs and eviction."""
