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
SELECT pipeline_id, format('the log begins after %s and has %s events, its head is at %s', begun.seq, count(events.seq), heads.seq)
FROM raglive.heads JOIN raglive.pipelines USING (pipeline_key)
LEFT JOIN raglive.log_starts AS begun USING (pipeline_key)
LEFT JOIN raglive.events USING (pipeline_key)
GROUP BY pipeline_id, heads.seq, begun.seq
HAVING begun.seq IS NULL OR count(events.seq) <> heads.seq - begun.seq OR coalesce(max(events.seq), begun.seq) <> heads.seq

-- name: digest_differs
WITH rolled AS (
    SELECT pipeline_key, events.seq, events.digest,
           raglive.roll_digest(lag(events.digest, 1, begun.digest) OVER (PARTITION BY pipeline_key ORDER BY events.seq),
                               id, events.seq) AS expected
    FROM raglive.events JOIN raglive.log_starts AS begun USING (pipeline_key)
)
SELECT pipeline_id, format('the digest of event %s does not follow from the events before it', min(seq))
FROM rolled JOIN raglive.pipelines USING (pipeline_key)
WHERE digest <> expected
GROUP BY pipeline_id
UNION ALL
SELECT pipeline_id, 'the digest of the head is not that of the last event'
FROM raglive.heads JOIN raglive.pipelines USING (pipeline_key)
WHERE heads.digest <> coalesce(
    (SELECT digest FROM raglive.events
     WHERE events.pipeline_key = heads.pipeline_key AND events.seq = heads.seq),
    (SELECT digest FROM raglive.log_starts AS begun
     WHERE begun.pipeline_key = heads.pipeline_key AND begun.seq = heads.seq), '\x')

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

-- name: chunks_of_other_text
SELECT pipeline_id, format('%s chunks of %s are filed under the hash of another text', count(*), name)
FROM raglive.chunks JOIN raglive.files USING (file_key) JOIN raglive.pipelines USING (pipeline_key)
WHERE chunks.content_hash <> sha256(convert_to(content, 'UTF8'))
GROUP BY pipeline_id, file_key, name

-- name: vectors_without_direction
SELECT pipeline_id, format('%s vectors of %s are zero: no search finds them', count(*), name)
FROM raglive.chunks JOIN raglive.files USING (file_key) JOIN raglive.pipelines USING (pipeline_key)
WHERE vector_norm(embedding) = 0
GROUP BY pipeline_id, file_key, name

-- name: vectors_of_no_model
SELECT pipeline_id, format('the index holds chunks of %s, but no embedding model is active', name)
FROM raglive.chunks JOIN raglive.files USING (file_key) JOIN raglive.pipelines USING (pipeline_key)
WHERE NOT EXISTS (SELECT FROM raglive.embedding_models WHERE active)
GROUP BY pipeline_id, file_key, name

-- name: columns_of_other_dimensions
-- Reads catalog tables only, which follow the snapshot; a function such as to_regclass does not.
SELECT 'every pipeline', format('%s has %s dimensions, its model has %s', typed.name, atttypmod, expected)
FROM (
    SELECT 'chunks.embedding', 'raglive.chunks'::regclass, 'embedding', dimensions
    FROM raglive.embedding_models WHERE active
    UNION ALL
    SELECT 'documents.embedding',
           (SELECT oid FROM pg_class WHERE relname = 'documents' AND relnamespace = 'public'::regnamespace),
           'embedding', dimensions
    FROM raglive.embedding_models WHERE active
    UNION ALL
    SELECT 'chunks.next_embedding', 'raglive.chunks'::regclass, 'next_embedding',
           coalesce((SELECT dimensions FROM raglive.embedding_models WHERE next), -1)
) AS typed (name, class, attribute, expected)
LEFT JOIN pg_attribute ON attrelid = class AND attname = attribute
WHERE atttypmod IS DISTINCT FROM expected

-- name: chunks_without_vector
SELECT pipeline_id, format('%s chunks of %s have no vector: only a search by words finds them', count(*), name)
FROM raglive.chunks JOIN raglive.files USING (file_key) JOIN raglive.pipelines USING (pipeline_key)
WHERE embedding IS NULL
GROUP BY pipeline_id, file_key, name

-- name: next_vectors_of_nothing
-- During a reindexing, the next vector of a chunk is the cached one of its text.
SELECT pipeline_id, format('%s chunks of %s have a next vector that is not the cached one of their text', count(*), name)
FROM raglive.chunks JOIN raglive.files USING (file_key) JOIN raglive.pipelines USING (pipeline_key)
WHERE next_embedding IS NOT NULL
  AND NOT EXISTS (SELECT FROM raglive.cached_vectors AS cached JOIN raglive.embedding_models AS model USING (model_key)
                  WHERE model.next AND cached.content_hash = chunks.content_hash AND cached.embedding = next_embedding)
GROUP BY pipeline_id, file_key, name

-- name: cached_vectors_of_other_dimensions
SELECT 'every pipeline', format('%s cached vectors of %s do not have its %s dimensions', count(*), model, dimensions)
FROM raglive.cached_vectors JOIN raglive.embedding_models USING (model_key)
WHERE vector_dims(embedding) <> dimensions
GROUP BY model_key, model, dimensions

-- name: queued_for_ever
SELECT pipeline_id, format('%s is queued, but has no time for its next attempt', name)
FROM raglive.files JOIN raglive.pipelines USING (pipeline_key)
WHERE location IS NOT NULL AND state = 'queued' AND next_attempt_at IS NULL

-- name: in_progress_for_nobody
SELECT pipeline_id, format('%s is in progress, but no worker holds its lease', name)
FROM raglive.files JOIN raglive.pipelines USING (pipeline_key)
WHERE location IS NOT NULL AND state = 'processing' AND lease_owner IS NULL

-- name: version_done_twice
SELECT pipeline_id, format('%s was completed %s times for %s versions', name, completed, desired_generation)
FROM raglive.files JOIN raglive.pipelines USING (pipeline_key)
CROSS JOIN LATERAL (
    SELECT count(*) AS completed FROM raglive.events
    WHERE events.pipeline_key = files.pipeline_key AND events.file_id = files.file_id AND type = 'file:completed'
) AS counted
WHERE location IS NOT NULL AND completed > desired_generation
  -- a retry on request, and a file that comes back, complete the same version again
  AND NOT EXISTS (SELECT FROM raglive.events AS retried
                  WHERE retried.pipeline_key = files.pipeline_key AND payload -> 'changes' ? 'asked_by')

-- name: draft_left_over
SELECT pipeline_id, format('%s is %s, but its draft is still stored', name, state)
FROM raglive.drafts JOIN raglive.files USING (file_key) JOIN raglive.pipelines USING (pipeline_key)
WHERE state IN ('completed', 'skipped', 'deleted')

-- name: draft_of_no_version
SELECT pipeline_id, format('the draft of %s has version %s, but the newest version is %s', name, generation, desired_generation)
FROM raglive.drafts JOIN raglive.files USING (file_key) JOIN raglive.pipelines USING (pipeline_key)
WHERE generation > desired_generation

-- name: rows_of_nothing
-- Foreign keys prevent this, except in a dump that was restored in part.
SELECT 'every pipeline', format('%s rows of %s belong to no file', count(*), kind)
FROM (SELECT 'chunks' AS kind, file_key FROM raglive.chunks
      UNION ALL SELECT 'dataset_rows', file_key FROM raglive.dataset_rows
      UNION ALL SELECT 'attempts', file_key FROM raglive.attempts
      UNION ALL SELECT 'drafts', file_key FROM raglive.drafts) AS stored
WHERE NOT EXISTS (SELECT FROM raglive.files WHERE files.file_key = stored.file_key)
GROUP BY kind
UNION ALL
SELECT 'every pipeline', format('%s rows of %s belong to no pipeline', count(*), kind)
FROM (SELECT 'heads' AS kind, pipeline_key FROM raglive.heads
      UNION ALL SELECT 'events', pipeline_key FROM raglive.events
      UNION ALL SELECT 'files', pipeline_key FROM raglive.files) AS stored
WHERE NOT EXISTS (SELECT FROM raglive.pipelines JOIN raglive.heads USING (pipeline_key)
                  WHERE pipelines.pipeline_key = stored.pipeline_key)
GROUP BY kind

-- name: state_not_in_log
-- Once events have expired, the event may be one of them.
SELECT pipeline_id, format('%s is %s, but no event says so', name, state)
FROM raglive.files JOIN raglive.pipelines USING (pipeline_key) JOIN raglive.log_starts AS begun USING (pipeline_key)
WHERE state <> 'queued' AND begun.seq = 0
  AND NOT EXISTS (SELECT FROM raglive.events
                  WHERE events.pipeline_key = files.pipeline_key AND events.file_id = files.file_id)

-- name: event_of_another_file
SELECT pipeline_id, format('event %s is filed under %s, but belongs to %s', seq, coalesce(file_id, 'no file'),
                           coalesce(payload #>> '{file,id}', 'none'))
FROM raglive.events JOIN raglive.pipelines USING (pipeline_key)
WHERE file_id IS DISTINCT FROM payload #>> '{file,id}'

-- name: totals_differ
SELECT pipeline_id, format('the totals say %s processed and %s failed, the log has %s and %s',
                           heads.total_processed, heads.total_failed, counted.completed, counted.failed_for_good)
FROM raglive.heads JOIN raglive.pipelines USING (pipeline_key) JOIN raglive.log_starts AS begun USING (pipeline_key)
CROSS JOIN LATERAL (
    SELECT count(*) FILTER (WHERE type = 'file:completed') AS completed,
           count(*) FILTER (WHERE type = 'file:failed' AND payload #>> '{error,next_attempt_at}' IS NULL) AS failed_for_good
    FROM raglive.events WHERE events.pipeline_key = heads.pipeline_key AND type IN ('file:completed', 'file:failed')
) AS counted
WHERE (heads.total_processed, heads.total_failed)
   <> (begun.total_processed + counted.completed, begun.total_failed + counted.failed_for_good)

-- name: status_differs_from_log
WITH last AS (
    SELECT DISTINCT ON (pipeline_key) pipeline_key, type
    FROM raglive.events JOIN raglive.pipelines USING (pipeline_key)
    WHERE type IN ('pipeline:online', 'pipeline:offline') OR NOT is_managed AND type LIKE 'file:%'
    ORDER BY pipeline_key, seq DESC
)
SELECT pipeline_id, format('it is %s, but its log says %s', status, coalesce(last.type, 'nothing about it'))
FROM raglive.heads JOIN raglive.pipelines USING (pipeline_key) JOIN raglive.log_starts AS begun USING (pipeline_key)
LEFT JOIN last USING (pipeline_key)
WHERE status <> CASE
    WHEN last.type IS NULL AND begun.seq > 0 THEN status -- the event that said it has expired
    WHEN last.type IS NULL OR last.type = 'pipeline:offline' THEN 'offline'
    ELSE 'online'
END
AND (is_managed OR status = 'offline') -- a heartbeat of another producer is not in the log

-- name: problem_differs_from_log
WITH last AS (
    SELECT DISTINCT ON (pipeline_key) pipeline_key, type, payload #> '{changes,problem}' AS problem FROM raglive.events
    WHERE type = 'status:update' AND payload -> 'changes' ? 'problem'
    ORDER BY pipeline_key, seq DESC
)
SELECT pipeline_id, format('its problem is %s, but the last one in its log is %s',
                           coalesce(heads.problem ->> 'code', 'none'), coalesce(last.problem ->> 'code', 'none'))
FROM raglive.heads JOIN raglive.pipelines USING (pipeline_key) JOIN raglive.log_starts AS begun USING (pipeline_key)
LEFT JOIN last USING (pipeline_key)
WHERE heads.problem IS DISTINCT FROM nullif(last.problem, 'null') AND (begun.seq = 0 OR last.type IS NOT NULL)

-- name: older_version_done
-- Not for files that a producer publishes events of: it knows no versions.
SELECT pipeline_id, format('%s is %s, but in version %s; its newest is %s', name, state, done_generation, desired_generation)
FROM raglive.files JOIN raglive.pipelines USING (pipeline_key)
WHERE location IS NOT NULL AND state IN ('completed', 'failed', 'skipped') AND done_generation <> desired_generation
  AND EXISTS (SELECT FROM raglive.attempts
              WHERE attempts.file_key = files.file_key AND attempts.attempt = files.attempt AND worker IS NOT NULL)

-- name: ended_otherwise
SELECT pipeline_id, format('%s is %s, but the outcome of its last attempt is %s', name, state, coalesce(outcome, 'unknown'))
FROM raglive.files JOIN raglive.pipelines USING (pipeline_key)
LEFT JOIN raglive.attempts USING (file_key, attempt)
WHERE location IS NOT NULL AND state IN ('processing', 'completed', 'failed')
  AND outcome IS DISTINCT FROM CASE state WHEN 'processing' THEN 'running' ELSE state END

-- name: rows_of_no_document
SELECT pipeline_id, format('%s is %s, but the index holds %s rows of its tables', name, state, count(*))
FROM raglive.dataset_rows JOIN raglive.files USING (file_key) JOIN raglive.pipelines USING (pipeline_key)
WHERE NOT EXISTS (SELECT FROM raglive.chunks WHERE chunks.file_key = files.file_key)
GROUP BY pipeline_id, file_key, name, state

-- name: rows_with_gaps
SELECT pipeline_id, format('the rows of %s are not numbered from 0 to %s', concat_ws(', ', name, nullif(dataset, '')), count(*) - 1)
FROM raglive.dataset_rows JOIN raglive.files USING (file_key) JOIN raglive.pipelines USING (pipeline_key)
GROUP BY pipeline_id, file_key, name, dataset
HAVING min(row_index) <> 0 OR max(row_index) <> count(*) - 1

-- name: nothing_to_match_with
SELECT 'every pipeline', 'an embedding model is active, but the function match_documents for agents is missing'
FROM raglive.embedding_models
WHERE active AND NOT EXISTS (SELECT FROM pg_proc WHERE proname = 'match_documents' AND pronamespace = 'public'::regnamespace)
