-- name: counts_differ
SELECT pipeline_id, format(
    'the counts say %s, the files are %s',
    jsonb_build_object('queued', queued, 'processing', processing, 'completed', completed,
                       'failed', failed, 'skipped', skipped), found)
FROM raglive.heads JOIN raglive.pipelines USING (pipeline_key)
CROSS JOIN LATERAL (
    SELECT jsonb_build_object(
        'queued', count(*) FILTER (WHERE state = 'queued'),
        'processing', count(*) FILTER (WHERE state = 'processing'),
        'completed', count(*) FILTER (WHERE state = 'completed'),
        'failed', count(*) FILTER (WHERE state = 'failed'),
        'skipped', count(*) FILTER (WHERE state = 'skipped')) AS found
    FROM raglive.files WHERE files.pipeline_key = heads.pipeline_key
) AS counted
WHERE found <> jsonb_build_object('queued', queued, 'processing', processing, 'completed', completed,
                                  'failed', failed, 'skipped', skipped)

-- name: log_has_gaps
SELECT pipeline_id, format('the log has %s events, its head is at %s', count(events.seq), heads.seq)
FROM raglive.heads JOIN raglive.pipelines USING (pipeline_key)
LEFT JOIN raglive.events USING (pipeline_key)
GROUP BY pipeline_id, heads.seq
HAVING count(events.seq) <> heads.seq OR coalesce(max(events.seq), 0) <> heads.seq

-- name: digest_differs
WITH rolled AS (
    SELECT pipeline_key, seq, digest,
           raglive.roll_digest(lag(digest, 1, '\x') OVER (PARTITION BY pipeline_key ORDER BY seq), id, seq) AS expected
    FROM raglive.events
)
SELECT pipeline_id, format('the digest of event %s is not what rolls out of the events', min(seq))
FROM rolled JOIN raglive.pipelines USING (pipeline_key)
WHERE digest <> expected
GROUP BY pipeline_id
UNION ALL
SELECT pipeline_id, 'the head''s digest is not the last event''s'
FROM raglive.heads JOIN raglive.pipelines USING (pipeline_key)
WHERE heads.digest <> coalesce(
    (SELECT digest FROM raglive.events
     WHERE events.pipeline_key = heads.pipeline_key AND events.seq = heads.seq), '\x')

-- name: completed_without_its_chunks
SELECT pipeline_id, format('%s is completed with %s chunks, the index has %s',
                           name, results ->> 'chunks_created', found)
FROM raglive.files JOIN raglive.pipelines USING (pipeline_key)
CROSS JOIN LATERAL (SELECT count(*) AS found FROM raglive.chunks WHERE chunks.file_key = files.file_key) AS counted
WHERE location IS NOT NULL AND state = 'completed'
  AND (found = 0 OR found <> (results ->> 'chunks_created')::bigint)

-- name: chunks_of_no_document
SELECT pipeline_id, format('%s is %s, but the index holds %s chunks of it', name, state, count(*))
FROM raglive.chunks JOIN raglive.files USING (file_key) JOIN raglive.pipelines USING (pipeline_key)
WHERE state IN ('deleted', 'skipped') OR (state = 'failed' AND error ->> 'next_attempt_at' IS NULL)
GROUP BY pipeline_id, file_key, name, state

-- name: chunks_with_gaps
SELECT pipeline_id, format('the chunks of %s are not numbered from 0 to %s', name, count(*) - 1)
FROM raglive.chunks JOIN raglive.files USING (file_key) JOIN raglive.pipelines USING (pipeline_key)
GROUP BY pipeline_id, file_key, name
HAVING min(chunk_index) <> 0 OR max(chunk_index) <> count(*) - 1

-- name: state_differs_from_log
WITH last AS (
    SELECT DISTINCT ON (pipeline_key, file_id) pipeline_key, file_id, type
    FROM raglive.events WHERE file_id IS NOT NULL
    ORDER BY pipeline_key, file_id, seq DESC
)
SELECT pipeline_id, format('%s is %s, but its last event is %s', name, state, type)
FROM raglive.files JOIN last USING (pipeline_key, file_id) JOIN raglive.pipelines USING (pipeline_key)
WHERE state <> 'queued'
  AND type <> 'file:' || state

-- name: attempts_left_running
SELECT pipeline_id, format('attempt %s at %s is open, but the file is %s', attempts.attempt, name, state)
FROM raglive.attempts JOIN raglive.files USING (file_key) JOIN raglive.pipelines USING (pipeline_key)
WHERE outcome = 'running' AND (state <> 'processing' OR attempts.attempt <> files.attempt)
