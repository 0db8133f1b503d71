-- name: draft
SELECT content FROM raglive.drafts WHERE file_key = $1 AND generation = $2

-- name: keep_draft
-- Not of a file that was taken away meanwhile, and no more than there is room for.
INSERT INTO raglive.drafts AS known (file_key, generation, content)
SELECT file_key, $2::bigint, $3::bytea FROM raglive.files
WHERE file_key = $1 AND lease_owner = $4 AND leased_generation = $2::bigint
  AND pg_total_relation_size('raglive.drafts') + octet_length($3::bytea) < $5::bigint
ON CONFLICT (file_key) DO UPDATE SET generation = excluded.generation, content = excluded.content, made_at = now()

-- name: drop_drafts
DELETE FROM raglive.drafts WHERE file_key = ANY ($1)

-- name: keep_vector
INSERT INTO raglive.kept_vectors (model_key, content_hash, embedding) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING

-- name: drop_vectors
DELETE FROM raglive.kept_vectors
WHERE content_hash = ANY ($1) AND model_key = (SELECT model_key FROM raglive.embedding_models WHERE active)

-- name: note_usage
INSERT INTO raglive.embedding_usage AS known (pipeline_key, day, file_key, model, texts, tokens, cost)
VALUES ($1, (clock_timestamp() AT TIME ZONE 'UTC')::date, $2, $3, $4, $5, $6)
ON CONFLICT (pipeline_key, day, file_key, model) DO UPDATE
SET texts = known.texts + excluded.texts, tokens = known.tokens + excluded.tokens, cost = known.cost + excluded.cost

-- name: spent
SELECT coalesce(sum(texts), 0)::bigint AS texts, coalesce(sum(tokens), 0)::bigint AS tokens,
       coalesce(sum(cost), 0)::double precision AS cost
FROM raglive.embedding_usage WHERE pipeline_key = $1 AND day >= $2

-- name: budget
SELECT (budget ->> 'amount')::double precision AS amount, budget ->> 'period' AS period,
       (SELECT coalesce(sum(cost), 0)::double precision FROM raglive.embedding_usage
        WHERE pipeline_key = $1
          AND day >= CASE budget ->> 'period' WHEN 'day' THEN today WHEN 'month' THEN date_trunc('month', today)::date
                     ELSE '-infinity' END) AS spent
FROM raglive.heads, (SELECT (clock_timestamp() AT TIME ZONE 'UTC')::date AS today) AS moment
WHERE pipeline_key = $1 AND budget IS NOT NULL

-- name: spent_on
SELECT coalesce(sum(texts), 0)::bigint AS texts, coalesce(sum(tokens), 0)::bigint AS tokens,
       coalesce(sum(cost), 0)::double precision AS cost
FROM raglive.embedding_usage WHERE file_key = $1

-- name: forget_old
-- Of the active model what nobody came back for; of a former one, all.
WITH drafts AS (
    DELETE FROM raglive.drafts WHERE made_at < now() - make_interval(days => $1)
), reservations AS (
    DELETE FROM raglive.embedding_reservations WHERE expires_at < clock_timestamp()
)
DELETE FROM raglive.kept_vectors WHERE ctid = ANY (ARRAY(
    SELECT kept.ctid FROM raglive.kept_vectors AS kept JOIN raglive.embedding_models USING (model_key)
    WHERE NOT next AND (NOT active OR kept.made_at < now() - make_interval(days => $1))
    LIMIT $2))

-- name: keep_indexed
INSERT INTO raglive.kept_vectors (model_key, content_hash, embedding)
SELECT DISTINCT ON (content_hash) model_key, content_hash, embedding
FROM raglive.chunks CROSS JOIN raglive.embedding_models
WHERE file_key = $1 AND active
ORDER BY content_hash
ON CONFLICT DO NOTHING

-- name: reserve
SELECT raglive.reserve_cost($1, $2, $3, $4, $5)

-- name: draw
-- A part of what was reserved is spent, and noted as usage.
UPDATE raglive.embedding_reservations
SET cost = greatest(0, cost - $2), expires_at = clock_timestamp() + make_interval(secs => $3)
WHERE reservation_id = $1

-- name: waits_for_budget
SELECT EXISTS (SELECT FROM raglive.files
               WHERE pipeline_key = $1 AND state = 'queued' AND location IS NOT NULL
                 AND next_attempt_at > clock_timestamp() AND error ->> 'code' = 'embedding_budget_spent')

-- name: release
DELETE FROM raglive.embedding_reservations WHERE reservation_id = $1
