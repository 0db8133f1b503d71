-- name: append
SELECT accepted, duplicates, cursor, seq, digest FROM raglive.append_events($1, $2)

-- name: publish
SELECT accepted, duplicates, cursor, seq, digest FROM raglive.append_events(raglive.external_pipeline_key($1, $2), $3)

-- name: external_pipeline_key
SELECT pipeline_key, pipeline_type
FROM raglive.external_pipeline_key($1, $2) AS key JOIN raglive.pipelines ON pipeline_key = key

-- name: heads
SELECT pipeline_key, pipeline_id, pipeline_type, epoch, head.seq, head.digest, start.seq + 1 AS oldest_seq,
       queued, processing, completed, failed, skipped
FROM raglive.heads AS head JOIN raglive.pipelines USING (pipeline_key) JOIN raglive.log_starts AS start USING (pipeline_key)
ORDER BY pipeline_key

-- name: head
SELECT pipeline_key, pipeline_id, pipeline_type, epoch, head.seq, head.digest, start.seq + 1 AS oldest_seq,
       queued, processing, completed, failed, skipped
FROM raglive.heads AS head JOIN raglive.pipelines USING (pipeline_key) JOIN raglive.log_starts AS start USING (pipeline_key)
WHERE pipeline_id = $1

-- name: unfinished
SELECT epoch, seq,
       CASE WHEN is_managed
            THEN queued + processing = 0
                 AND (status = 'offline' OR watch_owner IS NULL
                      OR (NOT is_checking AND coalesce(last_check_time >= started_at, false)))
            -- another program's files may stay in progress for ever
            ELSE queued + processing = 0 OR status = 'offline'
       END AS idle
FROM raglive.heads JOIN raglive.pipelines USING (pipeline_key)

-- name: read_after
SELECT seq, id, type, occurred_at, payload::text, digest
FROM raglive.events
WHERE pipeline_key = $1 AND seq > $2
ORDER BY seq
LIMIT $3

-- name: digest_at
SELECT digest FROM raglive.events WHERE pipeline_key = $1 AND seq = $2

-- name: begin_epoch
UPDATE raglive.heads SET epoch = raglive.new_epoch() WHERE pipeline_key = $1 AND epoch = $2
