-- name: delete_expired
-- Drafts and cached vectors that no attempt came back for, all vectors of a former model, and reservations of dead processes.
-- Vectors of the next model are needed until the reindexing ends.
WITH drafts AS (
    DELETE FROM raglive.drafts WHERE made_at < now() - make_interval(days => $1)
), reservations AS (
    DELETE FROM raglive.embedding_reservations WHERE expires_at < clock_timestamp()
)
DELETE FROM raglive.cached_vectors WHERE ctid = ANY (ARRAY(
    SELECT cached.ctid FROM raglive.cached_vectors AS cached JOIN raglive.embedding_models USING (model_key)
    WHERE NOT next AND (NOT active OR cached.made_at < now() - make_interval(days => $1))
    LIMIT $2))
