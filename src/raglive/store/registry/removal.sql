-- name: find
-- Locks the row, so that no watcher acquires the lease meanwhile.
SELECT pipeline_key, epoch, queued + processing + completed + failed + skipped AS files, heads.seq - log_starts.seq AS events,
       CASE
           WHEN watch_until > clock_timestamp() THEN 'the watcher ' || watch_owner
           WHEN status = 'online' AND last_heartbeat > clock_timestamp() - make_interval(secs => $2) THEN 'its producer'
           ELSE (SELECT 'the worker ' || max(lease_owner) FROM raglive.files
                 WHERE files.pipeline_key = pipelines.pipeline_key AND lease_until > clock_timestamp())
       END AS used_by
FROM raglive.pipelines JOIN raglive.heads USING (pipeline_key) JOIN raglive.log_starts USING (pipeline_key)
WHERE pipeline_id = $1
FOR UPDATE OF pipelines

-- name: begin
UPDATE raglive.pipelines SET is_removing = true WHERE pipeline_key = $1

-- name: delete_files
-- With their chunks, rows of tables, drafts and attempts.
WITH batch AS MATERIALIZED (
    SELECT file_key FROM raglive.files WHERE pipeline_key = $1 ORDER BY file_key LIMIT $2 FOR UPDATE
)
DELETE FROM raglive.files USING batch WHERE files.file_key = batch.file_key

-- name: remove_events
SELECT raglive.remove_events($1, 'infinity', $2)

-- name: delete_usage
DELETE FROM raglive.embedding_usage WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM raglive.embedding_usage WHERE pipeline_key = $1 LIMIT $2))

-- name: delete_pipeline
-- With its head, what little was written meanwhile, and what a watcher of Google Drive remembers.
DELETE FROM raglive.pipelines WHERE pipeline_key = $1 RETURNING pipeline_id
