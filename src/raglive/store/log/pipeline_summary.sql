-- name: heads
SELECT pipeline_key, pipeline.pipeline_id, pipeline.pipeline_type, head.epoch, head.seq, head.digest,
       queued, processing, completed, failed, skipped,
       (SELECT count(*) FROM raglive.files AS file
        WHERE file.pipeline_key = head.pipeline_key AND state = 'queued' AND next_attempt_at > clock_timestamp()) AS waiting
FROM raglive.heads AS head JOIN raglive.pipelines AS pipeline USING (pipeline_key)
WHERE pipeline_key = ANY($1)

-- name: standings
SELECT asked.pipeline_key, late.*
FROM unnest($1::integer[]) AS asked (pipeline_key)
CROSS JOIN LATERAL (
    SELECT file_id AS id, raglive.standing(files) AS standing, moved_at
    FROM raglive.files
    WHERE pipeline_key = asked.pipeline_key AND state = 'processing'
      AND (stuck_at IS NOT NULL OR lease_until < clock_timestamp())
    ORDER BY moved_at, file_key
    LIMIT $2
) AS late

-- name: failures
SELECT pipeline_key,
       raglive.standing(files) AS state,
       coalesce(error ->> 'code', reason ->> 'code', 'unknown') AS code,
       error ->> 'stage' AS stage,
       count(*) AS count,
       (array_agg(coalesce(error ->> 'message', reason ->> 'message', '') ORDER BY finished_at DESC))[1] AS message,
       min(coalesce(error ->> 'message', reason ->> 'message', ''))
           = max(coalesce(error ->> 'message', reason ->> 'message', '')) AS is_common,
       coalesce(bool_or((error ->> 'retryable')::boolean), false) AS retryable,
       min(next_attempt_at) FILTER (WHERE state = 'queued') AS next_attempt_at
FROM raglive.files
WHERE pipeline_key = ANY($1)
  AND (state IN ('failed', 'skipped')
       OR (state = 'queued' AND next_attempt_at > clock_timestamp() AND error IS NOT NULL))
GROUP BY 1, 2, 3, 4
ORDER BY state, count DESC, code, stage

-- name: moment
SELECT date_bin(make_interval(secs => $1), clock_timestamp(), 'epoch')

-- name: throughput
-- The intervals in which files finished, by pipeline; those in which none did have no row.
SELECT pipeline_key, date_bin(make_interval(secs => $2), occurred_at, 'epoch') AS start,
       count(*) FILTER (WHERE type = 'file:completed') AS completed,
       count(*) FILTER (WHERE type = 'file:failed') AS failed
FROM raglive.events
WHERE pipeline_key = ANY($1) AND type IN ('file:completed', 'file:failed') AND occurred_at >= $3
GROUP BY 1, 2

-- name: pace
-- Of the last attempts that made a file searchable: how long each stage took, of how many bytes, in which time.
SELECT asked.pipeline_key, one.*
FROM unnest($1::integer[]) AS asked (pipeline_key)
CROSS JOIN LATERAL (
    WITH lately AS (
        SELECT file.size_bytes, made.started_at, made.finished_at, made.stages
        FROM raglive.files AS file
        JOIN raglive.attempts AS made ON made.file_key = file.file_key AND made.attempt = file.attempt
        WHERE file.state = 'completed' AND file.pipeline_key = asked.pipeline_key AND file.finished_at > clock_timestamp() - interval '10 minutes'
          AND file.size_bytes IS NOT NULL
        ORDER BY file.finished_at DESC LIMIT 300
    ), totals AS (
        SELECT count(*) AS files, coalesce(sum(size_bytes), 0)::bigint AS bytes,
               -- while any of them was at work
               (SELECT sum(extract(epoch FROM upper(busy) - lower(busy)))
                FROM unnest(range_agg(tstzrange(started_at, finished_at, '[]'))) AS busy)::double precision AS span
        FROM lately
    ), stages AS (
        SELECT stage ->> 'stage' AS stage, sum((stage ->> 'duration')::double precision) AS seconds
        FROM lately, jsonb_array_elements(stages
) AS one (stage) GROUP BY 1
), rest AS (
    SELECT count(*) FILTER (WHERE size_bytes IS NOT NULL) AS sized, count(*) AS files,
           coalesce(sum(size_bytes * (1 - coalesce(progress, 0))), 0)::double precision AS bytes
    FROM raglive.files
    WHERE pipeline_key = asked.pipeline_key AND location IS NOT NULL
      AND (state = 'processing' OR (state = 'queued' AND next_attempt_at <= clock_timestamp()))
)
SELECT head.status, head.paused IS NOT NULL AS paused,
       totals.files, totals.bytes, totals.span, rest.files AS files_left, rest.sized AS sized_left, rest.bytes AS bytes_left,
       (SELECT coalesce(jsonb_object_agg(stage, seconds), '{}') FROM stages) AS stages
FROM raglive.heads AS head, totals, rest
WHERE head.pipeline_key = asked.pipeline_key
) AS one
