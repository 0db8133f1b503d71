-- name: files_by_id
SELECT file_key, file_id, location, name, folder, size_bytes, state, source
FROM raglive.files
WHERE pipeline_key = $1 AND file_id = ANY ($2) AND state <> 'deleted' AND location IS NOT NULL

-- name: folders_above
-- With $3, only watched folders and those that this full listing found.
WITH RECURSIVE up AS (
    SELECT folder_id, parent_id, name, path, log, is_root, state FROM raglive.google_folders
    WHERE pipeline_key = $1 AND folder_id = ANY ($2) AND ($3::bigint IS NULL OR is_root OR seen = $3)
    UNION
    SELECT above.folder_id, above.parent_id, above.name, above.path, above.log, above.is_root, above.state
    FROM up JOIN raglive.google_folders AS above ON above.pipeline_key = $1 AND above.folder_id = up.parent_id
    WHERE $3::bigint IS NULL OR above.is_root OR above.seen = $3
)
SELECT * FROM up

-- name: shortcuts_by_id
SELECT shortcut.shortcut_id, shortcut.parent_id, shortcut.target_id, folder.log
FROM raglive.google_shortcuts AS shortcut
JOIN raglive.google_folders AS folder
  ON folder.pipeline_key = shortcut.pipeline_key AND folder.folder_id = shortcut.parent_id
WHERE shortcut.pipeline_key = $1 AND shortcut.shortcut_id = ANY ($2)

-- name: targets
SELECT DISTINCT target_id FROM raglive.google_shortcuts WHERE pipeline_key = $1 AND target_id = ANY ($2)

-- name: lock_removals
-- Everything that `removed_files` may return, in one order, before the head is locked.
SELECT count(*) FROM (
    SELECT FROM raglive.files
    WHERE pipeline_key = $1 AND state <> 'deleted'
      AND (file_key = ANY ($2) OR file_id = ANY ($3) OR source ? 'parent' AND source ->> 'parent' = ANY ($4))
    ORDER BY file_key FOR UPDATE
) AS locked

-- name: removed_files
-- Files by key ($2, for reasons $3), and files that left the scope: those in folders ($4, for reasons $5) and targets of
-- shortcuts ($6), unless a folder or another shortcut still reaches them.
WITH removed AS (
    SELECT file_key, reason, 1 AS rank FROM unnest($2::bigint[], $3::text[]) AS given (file_key, reason)
    UNION ALL
    SELECT file_key, removed_folder.reason, 2
    FROM unnest($4::text[], $5::text[]) AS removed_folder (folder_id, reason)
    JOIN raglive.files AS file ON file.source ->> 'parent' = removed_folder.folder_id
    WHERE pipeline_key = $1 AND state <> 'deleted' AND source ? 'parent'
      AND NOT EXISTS (SELECT FROM raglive.google_shortcuts AS shortcut
                      WHERE shortcut.pipeline_key = $1 AND shortcut.target_id = file.file_id)
    UNION ALL
    SELECT file_key, 'moved_out', 3
    FROM raglive.files AS file
    WHERE pipeline_key = $1 AND file_id = ANY ($6) AND state <> 'deleted'
      AND NOT EXISTS (SELECT FROM raglive.google_shortcuts AS shortcut
                      WHERE shortcut.pipeline_key = $1 AND shortcut.target_id = file.file_id)
      AND NOT EXISTS (SELECT FROM raglive.google_folders AS folder
                      WHERE folder.pipeline_key = $1 AND folder.folder_id = file.source ->> 'parent')
), first AS (
    SELECT DISTINCT ON (file_key) file_key, reason FROM removed ORDER BY file_key, rank
)
SELECT file_key, file_id, location, name, folder, size_bytes, state, source, first.reason
FROM raglive.files JOIN first USING (file_key)
WHERE pipeline_key = $1 AND state <> 'deleted' AND location IS NOT NULL
ORDER BY file_key

-- name: put_resource_keys
INSERT INTO raglive.google_resource_keys AS known (pipeline_key, item_id, resource_key)
SELECT $1, item_id, resource_key FROM unnest($2::text[], $3::text[]) AS new (item_id, resource_key)
ORDER BY item_id
ON CONFLICT (pipeline_key, item_id) DO UPDATE SET resource_key = excluded.resource_key
WHERE known.resource_key <> excluded.resource_key

-- name: resource_keys
SELECT item_id, resource_key FROM raglive.google_resource_keys WHERE pipeline_key = $1 AND item_id = ANY ($2)

-- name: forget_resource_keys
DELETE FROM raglive.google_resource_keys AS known
WHERE pipeline_key = $1
  AND NOT EXISTS (SELECT FROM raglive.google_folders WHERE pipeline_key = $1 AND folder_id = known.item_id)
  AND NOT EXISTS (SELECT FROM raglive.google_shortcuts WHERE pipeline_key = $1 AND target_id = known.item_id)
  AND NOT EXISTS (SELECT FROM raglive.files WHERE pipeline_key = $1 AND file_id = known.item_id AND state <> 'deleted')

-- name: patch_watch_state
UPDATE raglive.pipelines SET watch_state = watch_state || $2 WHERE pipeline_key = $1

-- name: requeue_refused
-- Of all files, or of those in $4.
WITH requeued AS (
    UPDATE raglive.files SET state = 'queued', tries = 0, next_attempt_at = clock_timestamp(), error = NULL, reason = NULL,
        desired_generation = desired_generation + 1, updated_at = clock_timestamp()
    WHERE pipeline_key = $1 AND ($4::text[] IS NULL OR file_id = ANY ($4))
      AND (state IN ('failed', 'queued') AND error ->> 'code' = ANY ($2)
           OR state = 'skipped' AND reason ->> 'code' = ANY ($2))
    RETURNING file_id, name
)
SELECT file_id, name, count(*) OVER () AS total FROM requeued LIMIT $3
