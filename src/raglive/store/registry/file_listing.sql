-- name: file_page
SELECT file_key, file_id, name, folder, url, mime_type, size_bytes, state, stage, progress, attempt,
       results, error, reason, first_seen_at, started_at, finished_at, updated_at,
       raglive.standing(files) AS standing, CASE WHEN state = 'processing' THEN moved_at END AS moved_at,
       CASE WHEN state = 'queued' AND next_attempt_at > clock_timestamp() THEN next_attempt_at END AS next_attempt_at
FROM raglive.files
WHERE pipeline_key = $1 AND state = ANY ($2) {condition}
ORDER BY {order}
LIMIT $3

-- name: count_files
SELECT count(*) FROM raglive.files WHERE pipeline_key = $1 AND state = ANY ($2) {condition}

-- name: attempts
SELECT attempt, worker, started_at, finished_at, outcome, stages, error
FROM raglive.attempts
WHERE file_key = $1
ORDER BY attempt DESC
LIMIT $2

-- name: chunk_page
SELECT chunk_index, content, page FROM raglive.chunks
WHERE file_key = $1 AND chunk_index > $2
ORDER BY chunk_index
LIMIT $3

-- name: chunk_count
SELECT count(*) FROM raglive.chunks WHERE file_key = $1
