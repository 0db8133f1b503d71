-- name: claim
WITH due AS (
    SELECT file_key FROM raglive.files
    WHERE pipeline_key = $1 AND state = 'queued' AND location IS NOT NULL AND next_attempt_at <= clock_timestamp()
      AND NOT (SELECT is_removing FROM raglive.pipelines WHERE pipeline_key = $1)
    ORDER BY next_attempt_at, file_key
    LIMIT $3
    FOR UPDATE SKIP LOCKED
)
UPDATE raglive.files AS file
SET state = 'processing', attempt = attempt + 1, tries = tries + 1, stage = 'extraction', progress = 0,
    started_at = clock_timestamp(), finished_at = NULL, leased_generation = desired_generation,
    lease_owner = $2, lease_until = clock_timestamp() + make_interval(secs => $4),
    moved_at = clock_timestamp(), stuck_at = NULL, updated_at = clock_timestamp()
FROM due WHERE file.file_key = due.file_key
RETURNING file.file_key, file_id, location, name, folder, url, mime_type, size_bytes, source, attempt, tries,
          started_at, content_hash, leased_generation AS generation,
          (SELECT count(*) FROM raglive.attempts AS made
           WHERE made.file_key = file.file_key AND made.attempt > file.attempt - file.tries
             AND outcome = 'lost') AS losses,
          -- an outage is not the file's fault
          (SELECT count(*) FROM raglive.attempts AS made
           WHERE made.file_key = file.file_key AND made.attempt > file.attempt - file.tries
             AND outcome = 'failed' AND error ->> 'code' <> ALL ($5::text[])) AS failures

-- name: next_sizes
SELECT coalesce(size_bytes, 0) AS size_bytes FROM raglive.files
WHERE pipeline_key = $1 AND state = 'queued' AND location IS NOT NULL AND next_attempt_at <= clock_timestamp()
ORDER BY next_attempt_at, file_key
LIMIT $2

-- name: next_due
SELECT extract(epoch FROM min(next_attempt_at) - clock_timestamp())::double precision
FROM raglive.files
WHERE pipeline_key = $1 AND state = 'queued' AND location IS NOT NULL

-- name: are_done
-- A queued file whose next attempt is later does not count if it was tried often enough, or if that attempt is far off.
SELECT NOT EXISTS (SELECT FROM raglive.files
                   WHERE pipeline_key = $1 AND location IS NOT NULL
                     AND (state = 'processing'
                          OR state = 'queued' AND (next_attempt_at <= clock_timestamp()
                               OR tries < $2 AND next_attempt_at < clock_timestamp() + make_interval(secs => $3))))

-- name: count_queued
SELECT count(*) AS files, min(error ->> 'code') AS code FROM raglive.files
WHERE pipeline_key = $1 AND location IS NOT NULL AND state = 'queued'

-- name: count_failed
SELECT count(*) FROM raglive.files WHERE pipeline_key = $1 AND location IS NOT NULL AND state = 'failed'

-- name: renew_leases
WITH held AS (
    SELECT file_key, reported.stage, reported.progress
    FROM unnest($2::bigint[], $3::text[], $4::real[]) AS reported (file_key, stage, progress)
    JOIN raglive.files AS file USING (file_key)
    WHERE file.lease_owner = $1
    ORDER BY file_key
    FOR UPDATE OF file
)
UPDATE raglive.files AS file
SET stage = held.stage, progress = held.progress,
    moved_at = CASE WHEN (file.stage, file.progress) IS DISTINCT FROM (held.stage, held.progress)
                    THEN clock_timestamp() ELSE file.moved_at END,
    stuck_at = CASE WHEN (file.stage, file.progress) IS DISTINCT FROM (held.stage, held.progress)
                    THEN NULL ELSE file.stuck_at END,
    lease_until = clock_timestamp() + make_interval(secs => $5)
FROM held
WHERE file.file_key = held.file_key AND file.lease_owner = $1
RETURNING file.file_key

-- name: lock_leases
SELECT file_key, attempt, file_id, name, folder, url, mime_type, size_bytes, started_at
FROM raglive.files JOIN unnest($1::bigint[], $3::integer[]) AS held (file_key, attempt) USING (file_key, attempt)
WHERE lease_owner = $2 AND state = 'processing'
ORDER BY file_key
FOR UPDATE OF files

-- name: lease_owners
SELECT DISTINCT lease_owner FROM raglive.files WHERE pipeline_key = $1 AND lease_owner IS NOT NULL

-- name: release_lost
WITH lost AS (
    SELECT file_key, attempt, lease_owner, stage, progress FROM raglive.files
    WHERE pipeline_key = $1 AND lease_owner IS NOT NULL
      AND (lease_until < clock_timestamp() OR lease_owner = ANY ($2))
    ORDER BY file_key
    FOR UPDATE SKIP LOCKED
), ended AS (
    UPDATE raglive.attempts AS made
    SET outcome = 'lost', finished_at = clock_timestamp(),
        error = jsonb_strip_nulls(jsonb_build_object(
            'type', 'WorkerLost', 'code', 'worker_lost', 'stage', lost.stage, 'retryable', true,
            'next_attempt_at', raglive.rfc3339(clock_timestamp()),
            'message', format(
                CASE WHEN lost.lease_owner = ANY ($2) THEN 'The worker %s ended during %s, at %s %%.'
                     ELSE 'The worker %s did not renew its lease in time; it was last in %s, at %s %%.' END,
                lost.lease_owner, lost.stage, round((100 * lost.progress)::numeric))))
    FROM lost WHERE made.file_key = lost.file_key AND made.attempt = lost.attempt AND made.outcome = 'running'
)
UPDATE raglive.files AS file
SET state = 'queued', next_attempt_at = clock_timestamp(), stage = NULL, progress = NULL,
    lease_owner = NULL, lease_until = NULL, leased_generation = NULL, updated_at = clock_timestamp()
FROM lost WHERE file.file_key = lost.file_key
RETURNING file.file_id, file.name

-- name: mark_stuck
UPDATE raglive.files SET stuck_at = clock_timestamp()
WHERE file_key IN (
    SELECT file_key FROM raglive.files
    WHERE pipeline_key = $1 AND lease_owner IS NOT NULL AND stuck_at IS NULL
      AND moved_at < clock_timestamp() - make_interval(secs => $2)
    ORDER BY file_key
    FOR UPDATE SKIP LOCKED)
RETURNING file_id, name, stage, raglive.rfc3339(moved_at) AS since

-- name: release_own
UPDATE raglive.files AS file
SET state = 'queued', next_attempt_at = clock_timestamp() + make_interval(secs => $4), stage = NULL, progress = NULL,
    tries = greatest(0, tries - 1),
    lease_owner = NULL, lease_until = NULL, leased_generation = NULL, updated_at = clock_timestamp()
WHERE file_key = $1 AND lease_owner = $2 AND attempt = $3 AND state = 'processing'
RETURNING file.file_id, file.name

-- name: cancel_attempt
UPDATE raglive.attempts SET outcome = 'cancelled', finished_at = clock_timestamp(), error = $3
WHERE file_key = $1 AND attempt = $2 AND outcome = 'running'
