-- name: record_usage
INSERT INTO raglive.embedding_usage AS known (pipeline_key, day, file_key, model, texts, tokens, cost)
VALUES ($1, (clock_timestamp() AT TIME ZONE 'UTC')::date, $2, $3, $4, $5, $6)
ON CONFLICT (pipeline_key, day, file_key, model) DO UPDATE
SET texts = known.texts + excluded.texts, tokens = known.tokens + excluded.tokens, cost = known.cost + excluded.cost

-- name: usage_of_pipelines
SELECT pipeline_key, sum(texts)::bigint AS texts, sum(tokens)::bigint AS tokens, sum(cost)::double precision AS cost
FROM raglive.embedding_usage WHERE pipeline_key = ANY($1) AND day >= $2
GROUP BY pipeline_key

-- name: file_usage
SELECT coalesce(sum(texts), 0)::bigint AS texts, coalesce(sum(tokens), 0)::bigint AS tokens,
       coalesce(sum(cost), 0)::double precision AS cost
FROM raglive.embedding_usage WHERE file_key = $1

-- name: budgets
SELECT pipeline_key, (budget ->> 'amount')::double precision AS amount, budget ->> 'period' AS period,
       (SELECT coalesce(sum(cost), 0)::double precision FROM raglive.embedding_usage AS usage
        WHERE usage.pipeline_key = heads.pipeline_key
          AND day >= CASE budget ->> 'period' WHEN 'day' THEN today WHEN 'month' THEN date_trunc('month', today)::date
                     ELSE '-infinity' END) AS spent
FROM raglive.heads, (SELECT (clock_timestamp() AT TIME ZONE 'UTC')::date AS today) AS moment
WHERE pipeline_key = ANY($1) AND budget IS NOT NULL

-- name: files_wait_for_budget
SELECT EXISTS (SELECT FROM raglive.files
               WHERE pipeline_key = $1 AND state = 'queued' AND location IS NOT NULL
                 AND next_attempt_at > clock_timestamp() AND error ->> 'code' = 'embedding_budget_spent')

-- name: reserve
SELECT raglive.reserve_cost($1, $2, $3, $4, $5)

-- name: draw
-- Moves a part of a reservation to the recorded usage.
UPDATE raglive.embedding_reservations
SET cost = greatest(0, cost - $2), expires_at = clock_timestamp() + make_interval(secs => $3)
WHERE reservation_id = $1

-- name: release
DELETE FROM raglive.embedding_reservations WHERE reservation_id = $1
