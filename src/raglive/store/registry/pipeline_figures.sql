-- name: figures
-- The states of files are those of raglive.standing, counted with the indexes of due and of leased files.
WITH due AS (
    SELECT pipeline_key, count(*) FILTER (WHERE next_attempt_at > clock_timestamp()) AS waiting,
           extract(epoch FROM clock_timestamp() - min(next_attempt_at))::double precision AS oldest_seconds
    FROM raglive.files WHERE state = 'queued' AND location IS NOT NULL
    GROUP BY pipeline_key
), held AS (
    SELECT pipeline_key, count(*) FILTER (WHERE lease_until < clock_timestamp()) AS lost,
           count(*) FILTER (WHERE lease_until >= clock_timestamp() AND stuck_at IS NOT NULL) AS stuck
    FROM raglive.files WHERE lease_owner IS NOT NULL
    GROUP BY pipeline_key
)
SELECT pipeline_key, pipeline_id, pipeline_type, status, coalesce(offline_reason, '') AS offline_reason,
       paused ->> 'code' AS paused_code, problem ->> 'code' AS problem_code,
       queued, processing, completed, failed, skipped,
       coalesce(due.waiting, 0) AS waiting, coalesce(held.lost, 0) AS lost, coalesce(held.stuck, 0) AS stuck,
       greatest(0, due.oldest_seconds) AS oldest_queued_seconds,
       CASE WHEN is_managed AND status = 'online'
            THEN extract(epoch FROM clock_timestamp() - greatest(last_check_time, started_at))::double precision
       END AS last_check_seconds
FROM raglive.heads JOIN raglive.pipelines USING (pipeline_key)
LEFT JOIN due USING (pipeline_key) LEFT JOIN held USING (pipeline_key)
ORDER BY pipeline_key
