-- name: retry
UPDATE raglive.files
SET state = 'queued', next_attempt_at = clock_timestamp(), tries = 0, updated_at = clock_timestamp()
WHERE file_key IN (
    SELECT file_key FROM raglive.files
    WHERE pipeline_key = $1 AND location IS NOT NULL
      AND (state = 'failed'
           OR (state = 'queued' AND next_attempt_at > clock_timestamp())
           OR (state = 'skipped' AND file_id = ANY ($2)))
      AND ($2::text[] IS NULL OR file_id = ANY ($2))
      AND ($3::text IS NULL OR error ->> 'code' = $3)
    ORDER BY file_key
    FOR UPDATE)
RETURNING file_id, name

-- name: is_of_another_program
-- raglive cannot read files that only their producer has.
SELECT NOT is_managed AND EXISTS (
    SELECT FROM raglive.files WHERE files.pipeline_key = pipelines.pipeline_key AND state = 'failed' AND location IS NULL)
FROM raglive.pipelines WHERE pipeline_key = $1

-- name: pipeline_id
SELECT pipeline_id FROM raglive.pipelines WHERE pipeline_key = $1

-- name: file_ids
SELECT pipeline_key, file_id, asked.given
FROM unnest($2::text[]) AS asked (given)
JOIN raglive.files AS file
  ON file.pipeline_key = ANY ($1) AND file.state <> 'deleted'
 AND asked.given IN (file.file_id, file.name, file.folder || '/' || file.name)
