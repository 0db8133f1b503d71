-- How the provider is asked for a model's vectors, so that every process can say which of its settings are others.

-- `base_url`: without a name or password; null for the provider's own address. `asked_dimensions`: null for the model's own.
ALTER TABLE raglive.embedding_models
    ADD COLUMN base_url text,
    ADD COLUMN asked_dimensions integer;
