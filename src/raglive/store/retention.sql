-- name: pipelines
SELECT pipeline_key FROM raglive.log_starts ORDER BY pipeline_key

-- name: remove_events
SELECT raglive.remove_events($1, clock_timestamp() - make_interval(secs => $2), $3)

-- name: merge_usage
-- Usage of whole months that are over and expired, on the first day of each month: budgets and monthly costs stay exact.
WITH expired AS (
    SELECT pipeline_key, day, file_key, model FROM raglive.embedding_usage
    WHERE pipeline_key = $1 AND day < date_trunc('month', clock_timestamp() AT TIME ZONE 'UTC' - make_interval(secs => $2))::date
      AND extract(day FROM day) <> 1
    ORDER BY pipeline_key, day, file_key, model
    LIMIT $3
    FOR UPDATE SKIP LOCKED
), spent AS (
    DELETE FROM raglive.embedding_usage AS used USING expired
    WHERE (used.pipeline_key, used.day, used.file_key, used.model)
        = (expired.pipeline_key, expired.day, expired.file_key, expired.model)
    RETURNING used.*
)
INSERT INTO raglive.embedding_usage AS known (pipeline_key, day, file_key, model, texts, tokens, cost)
SELECT pipeline_key, date_trunc('month', day)::date, file_key, model, sum(texts), sum(tokens), sum(cost) FROM spent
GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4
ON CONFLICT (pipeline_key, day, file_key, model) DO UPDATE
SET texts = known.texts + excluded.texts, tokens = known.tokens + excluded.tokens, cost = known.cost + excluded.cost

-- name: delete_audit_entries
DELETE FROM raglive.operator_acts WHERE act_key = ANY (ARRAY(
    SELECT act_key FROM raglive.operator_acts
    WHERE acted_at < clock_timestamp() - make_interval(secs => $1) ORDER BY act_key LIMIT $2))

-- name: delete_producer_usage
DELETE FROM raglive.producer_usage WHERE day < (clock_timestamp() AT TIME ZONE 'UTC')::date - 1

-- name: delete_drafts
-- Drafts that no attempt came back for.
DELETE FROM raglive.drafts WHERE file_key = ANY (ARRAY(
    SELECT file_key FROM raglive.drafts WHERE made_at < now() - make_interval(secs => $1) LIMIT $2))

-- name: delete_reservations
-- Reservations of dead processes.
DELETE FROM raglive.embedding_reservations WHERE reservation_id = ANY (ARRAY(
    SELECT reservation_id FROM raglive.embedding_reservations WHERE expires_at < clock_timestamp() LIMIT $1))

-- name: delete_vectors
-- Cached vectors that no attempt came back for, and all vectors of a former model. Vectors of the next model are needed until the
-- reindexing ends.
DELETE FROM raglive.cached_vectors WHERE ctid = ANY (ARRAY(
    SELECT cached.ctid FROM raglive.cached_vectors AS cached JOIN raglive.embedding_models USING (model_key)
    WHERE NOT next AND (NOT active OR cached.made_at < now() - make_interval(secs => $1))
    LIMIT $2))
