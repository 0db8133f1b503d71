-- What the running pipeline may spend on embeddings, `{amount, period}`; null while it may spend anything.
ALTER TABLE raglive.heads ADD COLUMN budget jsonb;
