-- name: watched_sources
-- A watcher of a folder saves the folder's identity, a watcher of Google Drive its folders.
SELECT pipeline_key, pipeline_id, pipeline_type, watch_location AS location, is_google_drive
FROM raglive.pipelines JOIN raglive.heads USING (pipeline_key),
    LATERAL (SELECT EXISTS (SELECT FROM raglive.google_folders AS folder
                            WHERE folder.pipeline_key = pipelines.pipeline_key) AS is_google_drive) AS watched
WHERE is_google_drive OR watch_state ? 'root'
ORDER BY pipeline_id
