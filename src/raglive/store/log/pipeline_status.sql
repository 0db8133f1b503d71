-- name: pipelines
-- `progress` changes whenever a file in progress does; null where none is.
SELECT head.pipeline_key, pipeline.pipeline_id, pipeline.pipeline_type, head.epoch, head.seq, head.digest, start.seq + 1 AS oldest_seq,
       head.queued, head.processing, head.completed, head.failed, head.skipped,
       head.status, head.problem, head.paused,
       raglive.rfc3339(head.last_activity) AS last_activity, raglive.rfc3339(pipeline.last_heartbeat) AS last_heartbeat,
       extract(epoch FROM clock_timestamp() - pipeline.last_heartbeat)::double precision AS silent_seconds,
       CASE WHEN head.processing > 0 THEN (
           SELECT hashtextextended(
               string_agg(concat_ws(' ', file_key, attempt, stage, progress, moved_at, raglive.standing(files)), ',' ORDER BY file_key), 0)
           FROM raglive.files WHERE state = 'processing' AND pipeline_key = head.pipeline_key) END AS progress
       {snapshot}
FROM raglive.heads AS head JOIN raglive.pipelines AS pipeline USING (pipeline_key) JOIN raglive.log_starts AS start USING (pipeline_key)
{only}
ORDER BY pipeline.pipeline_id

-- name: keys
SELECT pipeline_id, pipeline_key FROM raglive.pipelines JOIN raglive.heads USING (pipeline_key)

-- name: statuses
SELECT raglive.pipeline_status(key) AS snapshot FROM unnest($1::integer[]) AS key

-- name: snapshot
SELECT raglive.pipeline_status($1)

-- name: ping
SELECT 1

-- name: events_after
SELECT event.pipeline_key, event.seq, event.id, event.type, event.occurred_at, event.payload::text, event.digest
FROM unnest($1::integer[], $2::bigint[], $3::bigint[]) AS asked (pipeline_key, after_seq, up_to_seq)
CROSS JOIN LATERAL (
    SELECT * FROM raglive.events AS logged
    WHERE logged.pipeline_key = asked.pipeline_key AND seq > after_seq AND seq <= up_to_seq
    ORDER BY seq LIMIT $4
) AS event
ORDER BY event.pipeline_key, event.seq

-- name: event_page
SELECT seq, id, type, occurred_at, payload::text, digest
FROM raglive.events
WHERE pipeline_key = $1 AND seq < $2 AND seq > $3 {only}
ORDER BY seq DESC
LIMIT $4
