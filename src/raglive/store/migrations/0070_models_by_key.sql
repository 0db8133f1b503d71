-- Vectors of several models side by side, while an index is made anew with another one.

-- `next`: the model that the index is being made anew with; `active` until then is the one that answers.
ALTER TABLE raglive.embedding_models
    ADD COLUMN model_key integer GENERATED ALWAYS AS IDENTITY UNIQUE,
    ADD COLUMN next boolean NOT NULL DEFAULT false,
    ADD CHECK (NOT (active AND next));
CREATE UNIQUE INDEX embedding_models_one_next ON raglive.embedding_models (next) WHERE next;

-- Vectors that no chunk holds yet, each of the model that made it.
ALTER TABLE raglive.kept_vectors
    ADD COLUMN model_key integer REFERENCES raglive.embedding_models (model_key) ON DELETE CASCADE;
UPDATE raglive.kept_vectors SET model_key = (SELECT model_key FROM raglive.embedding_models WHERE active);
ALTER TABLE raglive.kept_vectors
    ALTER COLUMN model_key SET NOT NULL,
    DROP CONSTRAINT kept_vectors_pkey,
    ADD PRIMARY KEY (model_key, content_hash);

-- The next model's vectors; typed with its dimensions while there is one.
ALTER TABLE raglive.chunks ADD COLUMN next_embedding vector;

-- Whether vectors of a model may be stored: until the transaction ends, the index stays with the model that it is of. Who changes
-- it takes this lock alone. Each statement looks anew, so that what is read is what there is once the lock is held.
CREATE FUNCTION raglive.holds_model(key integer) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtextextended('raglive.active_model', 0));
    RETURN EXISTS (SELECT FROM raglive.embedding_models WHERE active AND model_key = key);
END $$;
REVOKE ALL ON FUNCTION raglive.holds_model FROM PUBLIC;
