-- name: known
SELECT file_key, file_id, location, name, folder, size_bytes, state, source
FROM raglive.files
WHERE pipeline_key = $1 AND state <> 'deleted' AND location IS NOT NULL

-- name: keys_of
SELECT file_id, file_key FROM raglive.files WHERE pipeline_key = $1 AND file_id = ANY ($2::text[])

-- name: enqueue_new
INSERT INTO raglive.files AS known (
    pipeline_key, file_id, location, name, folder, url, mime_type, size_bytes, source,
    state, desired_generation, next_attempt_at)
SELECT $1, file_id, location, name, folder, url, mime_type, size_bytes, source, 'queued', 1, clock_timestamp()
FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::bigint[], $9::jsonb[])
     AS new (file_id, location, name, folder, url, mime_type, size_bytes, source)
ORDER BY file_id
ON CONFLICT (pipeline_key, file_id) DO UPDATE SET
    location = excluded.location, name = excluded.name, folder = excluded.folder, url = excluded.url,
    mime_type = excluded.mime_type, size_bytes = excluded.size_bytes, source = excluded.source,
    state = 'queued', desired_generation = known.desired_generation + 1, tries = 0,
    next_attempt_at = clock_timestamp(), error = NULL, reason = NULL, finished_at = NULL,
    updated_at = clock_timestamp()
WHERE known.state = 'deleted'

-- name: enqueue_changed
UPDATE raglive.files AS known
SET source = new.source,
    size_bytes = new.size_bytes,
    mime_type = coalesce(new.mime_type, known.mime_type),
    desired_generation = known.desired_generation + 1,
    state = CASE WHEN known.state = 'processing' THEN 'processing' ELSE 'queued' END,
    next_attempt_at = clock_timestamp(),
    tries = 0,
    updated_at = clock_timestamp()
FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::jsonb[]) AS new (file_key, size_bytes, mime_type, source)
WHERE known.file_key = new.file_key AND known.state <> 'deleted'

-- name: move
UPDATE raglive.files AS known
SET location = new.location, name = new.name, folder = new.folder, url = new.url, source = new.source,
    updated_at = clock_timestamp()
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[], $6::jsonb[])
     AS new (file_key, location, name, folder, url, source)
WHERE known.file_key = new.file_key AND known.state <> 'deleted'

-- name: lock_files
-- Before the head is locked, and in one order: a transaction that holds files may wait for the head, but not the other way round.
SELECT file_key, file_id, name FROM raglive.files
WHERE file_key = ANY ($1) AND state <> 'deleted'
ORDER BY file_key FOR UPDATE
