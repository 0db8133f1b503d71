-- name: held
-- A missing local folder holds nothing back yet: the watcher decides when it sees what takes its place.
SELECT pipeline_key, pipeline_id, problem ->> 'message' AS message,
       problem ->> 'code' = 'deletions_held' OR pipeline_type <> 'local_files' AS can_be_approved
FROM raglive.pipelines JOIN raglive.heads USING (pipeline_key)
WHERE problem ->> 'code' IN ('deletions_held', 'watch_location_unavailable')
ORDER BY pipeline_id

-- name: approve
UPDATE raglive.pipelines SET watch_state = watch_state || '{"deletions_approved": true}'
WHERE pipeline_key = $1 RETURNING pipeline_id
