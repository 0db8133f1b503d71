-- name: put_shortcuts
INSERT INTO raglive.google_shortcuts AS known (pipeline_key, shortcut_id, parent_id, target_id)
SELECT $1, shortcut_id, parent_id, target_id
FROM unnest($2::text[], $3::text[], $4::text[]) AS new (shortcut_id, parent_id, target_id)
ORDER BY shortcut_id
ON CONFLICT (pipeline_key, shortcut_id) DO UPDATE SET
    parent_id = excluded.parent_id, target_id = excluded.target_id, unchecked = true

-- name: remove_shortcuts
DELETE FROM raglive.google_shortcuts
WHERE pipeline_key = $1 AND (shortcut_id = ANY ($2) OR parent_id = ANY ($3))
RETURNING target_id

-- name: uncheck_left
-- Targets in folders ($2) that left the scope: their state has to be requested again.
UPDATE raglive.google_shortcuts SET unchecked = true
WHERE pipeline_key = $1 AND target_id IN (
    SELECT file_id FROM raglive.files
    WHERE pipeline_key = $1 AND state <> 'deleted' AND source ? 'parent' AND source ->> 'parent' = ANY ($2))

-- name: uncheck_unseen
-- Targets that a full listing found in no folder: trashed, moved out, or always outside.
UPDATE raglive.google_shortcuts SET unchecked = true
WHERE pipeline_key = $1 AND target_id NOT IN (
    SELECT file.file_id FROM raglive.files AS file
    JOIN raglive.google_folders AS folder
      ON folder.pipeline_key = $1 AND folder.folder_id = file.source ->> 'parent' AND folder.seen = $2
    WHERE file.pipeline_key = $1 AND file.state <> 'deleted'
      AND NOT EXISTS (SELECT FROM raglive.google_missing AS missing
                      WHERE missing.pipeline_key = $1 AND missing.item_id = file.file_id))

-- name: uncheck_outside
-- Targets outside the watched folders: no change log says when a folder above them is trashed.
UPDATE raglive.google_shortcuts SET unchecked = true
WHERE pipeline_key = $1 AND target_id IN (
    SELECT shortcut.target_id FROM raglive.google_shortcuts AS shortcut
    LEFT JOIN raglive.files AS file ON file.pipeline_key = $1 AND file.file_id = shortcut.target_id
    WHERE shortcut.pipeline_key = $1
      AND NOT EXISTS (SELECT FROM raglive.google_folders AS folder
                      WHERE folder.pipeline_key = $1 AND folder.folder_id = file.source ->> 'parent')
    LIMIT $2)

-- name: save_target_drives
UPDATE raglive.google_shortcuts AS shortcut SET drive = new.drive
FROM unnest($2::text[], $3::text[]) AS new (target_id, drive)
WHERE shortcut.pipeline_key = $1 AND shortcut.target_id = new.target_id AND shortcut.drive <> new.drive

-- name: target_drives
SELECT DISTINCT drive FROM raglive.google_shortcuts WHERE pipeline_key = $1

-- name: all_targets
SELECT DISTINCT target_id FROM raglive.google_shortcuts WHERE pipeline_key = $1

-- name: unchecked
SELECT DISTINCT target_id FROM raglive.google_shortcuts WHERE pipeline_key = $1 AND unchecked LIMIT $2

-- name: checked
UPDATE raglive.google_shortcuts SET unchecked = false WHERE pipeline_key = $1 AND target_id = ANY ($2) AND unchecked
