"""Connected viewers: their identity and rights, token refresh and expiry, and eviction."""
