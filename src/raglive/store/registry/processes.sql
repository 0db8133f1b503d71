-- name: record
WITH seen AS (
    INSERT INTO raglive.processes (pipeline_key, owner, seen_at)
    SELECT pipeline_key, $2, clock_timestamp() FROM raglive.pipelines WHERE pipeline_key = $1 AND NOT is_removing
    ON CONFLICT (pipeline_key, owner) DO UPDATE SET seen_at = excluded.seen_at
)
UPDATE raglive.pipelines SET last_heartbeat = clock_timestamp()
WHERE pipeline_key = $1 AND watch_owner <> $2 AND watch_until > clock_timestamp()
RETURNING true

-- name: others
SELECT owner FROM raglive.processes
WHERE pipeline_key = $1 AND owner <> $2 AND seen_at > clock_timestamp() - make_interval(secs => $3)

-- name: leave
DELETE FROM raglive.processes
WHERE pipeline_key = $1 AND (owner = $2 OR seen_at < clock_timestamp() - make_interval(secs => $3))
