-- name: register
SELECT raglive.pipeline_key($1, $2)

-- name: heartbeat
UPDATE raglive.pipelines AS pipeline
SET last_heartbeat = clock_timestamp(),
    uptime = $2,
    memory_usage = $3,
    is_checking = $4,
    last_check_time = coalesce($5, last_check_time),
    next_check_time = $6
FROM raglive.heads AS head
WHERE pipeline.pipeline_key = $1 AND head.pipeline_key = $1 AND NOT is_removing
RETURNING head.status, head.seq, head.digest, head.processing

-- name: record_heartbeat
WITH alive AS (
    UPDATE raglive.heads SET status = 'online', offline_reason = NULL WHERE pipeline_key = $1 AND status = 'offline'
)
UPDATE raglive.pipelines
SET last_heartbeat = clock_timestamp(), uptime = $2, memory_usage = $3
WHERE pipeline_key = $1

-- name: acquire_watch
UPDATE raglive.pipelines
SET watch_owner = $2, watch_until = clock_timestamp() + make_interval(secs => $3), is_managed = true
WHERE pipeline_key = $1
  AND NOT is_removing
  AND (watch_owner IS NULL OR watch_owner = $2 OR watch_until < clock_timestamp() OR watch_owner = ANY ($4))
RETURNING true

-- name: release_watch
UPDATE raglive.pipelines SET watch_owner = NULL, watch_until = NULL WHERE pipeline_key = $1 AND watch_owner = $2

-- name: watcher
SELECT watch_owner FROM raglive.pipelines WHERE pipeline_key = $1

-- name: watch_state
SELECT watch_state FROM raglive.pipelines WHERE pipeline_key = $1

-- name: save_watch_state
UPDATE raglive.pipelines SET watch_state = $2 WHERE pipeline_key = $1

-- name: problem
SELECT problem FROM raglive.heads WHERE pipeline_key = $1

-- name: silent
SELECT pipeline_key, pipeline_id
FROM raglive.pipelines JOIN raglive.heads USING (pipeline_key)
WHERE status = 'online' AND last_heartbeat < clock_timestamp() - make_interval(secs => $1)
ORDER BY pipeline_key

-- name: lock_if_silent
SELECT 1
FROM raglive.heads JOIN raglive.pipelines USING (pipeline_key)
WHERE pipeline_key = $1 AND status = 'online'
  AND last_heartbeat < clock_timestamp() - make_interval(secs => $2)
FOR UPDATE OF heads

-- name: leases_expired
SELECT file_id, name, stage FROM raglive.files
WHERE pipeline_key = $1 AND lease_until < clock_timestamp() ORDER BY started_at, file_key

-- name: paused
SELECT paused FROM raglive.heads WHERE pipeline_key = $1 FOR UPDATE

-- name: budget_differs
SELECT 1 FROM raglive.heads WHERE pipeline_key = $1 AND budget IS DISTINCT FROM $2

-- name: set_budget
UPDATE raglive.heads SET budget = $2 WHERE pipeline_key = $1

-- name: requeue_for_budget
UPDATE raglive.files
SET next_attempt_at = clock_timestamp(), updated_at = clock_timestamp()
WHERE file_key IN (
    SELECT file_key FROM raglive.files
    WHERE pipeline_key = $1 AND state = 'queued' AND next_attempt_at > clock_timestamp()
      AND error ->> 'code' IN ('embedding_budget_spent', 'embedding_budget_too_small')
    ORDER BY file_key
    FOR UPDATE)
RETURNING file_id, name

-- name: set_paused
UPDATE raglive.heads SET paused = $2 WHERE pipeline_key = $1

-- name: file_counts
SELECT coalesce(sum(queued + processing), 0)::bigint AS unfinished,
       coalesce(sum(completed), 0)::bigint AS completed,
       coalesce(sum(skipped), 0)::bigint AS skipped,
       coalesce(sum(failed), 0)::bigint AS failed
FROM raglive.heads JOIN raglive.pipelines USING (pipeline_key)
WHERE pipeline_id = ANY ($1)
