-- name: cursors
SELECT log, cursor FROM raglive.google_logs WHERE pipeline_key = $1

-- name: put_cursor
INSERT INTO raglive.google_logs (pipeline_key, log, cursor) VALUES ($1, $2, $3)
ON CONFLICT (pipeline_key, log) DO UPDATE SET cursor = excluded.cursor

-- name: forget_logs
DELETE FROM raglive.google_logs WHERE pipeline_key = $1 AND log <> ALL ($2)

-- name: pending
SELECT folder_id, log FROM raglive.google_folders
WHERE pipeline_key = $1 AND state = 'pending'
  AND log = (SELECT min(log) FROM raglive.google_folders WHERE pipeline_key = $1 AND state = 'pending')
ORDER BY folder_id
LIMIT $2

-- name: end_listing
UPDATE raglive.google_folders
SET state = 'listed', seen = CASE WHEN $3 THEN $4 ELSE seen END
WHERE pipeline_key = $1 AND folder_id = ANY ($2) AND state = 'pending'

-- name: mark_unseen
UPDATE raglive.google_folders SET seen = NULL WHERE pipeline_key = $1 AND folder_id = ANY ($2)

-- name: clear_missing
DELETE FROM raglive.google_missing WHERE pipeline_key = $1

-- name: mark_unreadable_seen
WITH RECURSIVE below AS (
    SELECT folder_id FROM raglive.google_folders WHERE pipeline_key = $1 AND is_root AND state = 'unreadable'
    UNION
    SELECT folder.folder_id
    FROM below JOIN raglive.google_folders AS folder ON folder.pipeline_key = $1 AND folder.parent_id = below.folder_id
)
UPDATE raglive.google_folders AS folder SET seen = $2, state = CASE WHEN state = 'pending' THEN 'listed' ELSE state END
FROM below WHERE folder.pipeline_key = $1 AND folder.folder_id = below.folder_id

-- name: begin_full_listing
UPDATE raglive.google_folders SET state = 'pending', seen = NULL
WHERE pipeline_key = $1 AND is_root AND state <> 'unreadable'

-- name: expect
-- Everything that these folders should hold; `found` removes what they do.
INSERT INTO raglive.google_missing (pipeline_key, item_id)
SELECT $1, file_id FROM raglive.files
WHERE pipeline_key = $1 AND state <> 'deleted' AND source ? 'parent' AND source ->> 'parent' = ANY ($2)
UNION
SELECT $1, shortcut_id FROM raglive.google_shortcuts WHERE pipeline_key = $1 AND parent_id = ANY ($2)
ON CONFLICT DO NOTHING

-- name: found
DELETE FROM raglive.google_missing WHERE pipeline_key = $1 AND item_id = ANY ($2)

-- name: record_unseen
-- Files in folders that were not found are missing too. A file that a shortcut reaches is not.
WITH live AS (
    SELECT folder_id FROM raglive.google_folders WHERE pipeline_key = $1 AND seen = $2
), missing AS (
    SELECT item_id FROM raglive.google_missing WHERE pipeline_key = $1
), reached AS (
    SELECT target_id FROM raglive.google_shortcuts
    WHERE pipeline_key = $1 AND parent_id IN (TABLE live) AND shortcut_id NOT IN (TABLE missing)
), found AS (
    DELETE FROM raglive.google_missing WHERE pipeline_key = $1 AND item_id IN (TABLE reached)
)
INSERT INTO raglive.google_missing (pipeline_key, item_id)
SELECT $1, file_id FROM raglive.files
WHERE pipeline_key = $1 AND state <> 'deleted' AND location IS NOT NULL
  AND (source ->> 'parent' IS NULL OR source ->> 'parent' NOT IN (TABLE live))
  AND file_id NOT IN (TABLE reached)
ON CONFLICT DO NOTHING

-- name: missing_files
-- Some of them in no particular order, each with their total number.
SELECT file_id, count(*) OVER () AS total
FROM raglive.google_missing AS missing
JOIN raglive.files AS file ON file.pipeline_key = $1 AND file.file_id = missing.item_id
WHERE missing.pipeline_key = $1 AND state <> 'deleted' AND location IS NOT NULL
ORDER BY md5(file_id)
LIMIT $2

-- name: file_count
SELECT queued + processing + completed + failed + skipped FROM raglive.heads WHERE pipeline_key = $1

-- name: forget_unseen_folders
DELETE FROM raglive.google_folders WHERE pipeline_key = $1 AND NOT is_root AND seen IS DISTINCT FROM $2

-- name: forget_unseen_shortcuts
DELETE FROM raglive.google_shortcuts AS shortcut
WHERE pipeline_key = $1 AND (
    EXISTS (SELECT FROM raglive.google_missing AS missing
            WHERE missing.pipeline_key = $1 AND missing.item_id = shortcut.shortcut_id)
    OR NOT EXISTS (SELECT FROM raglive.google_folders AS folder
                   WHERE folder.pipeline_key = $1 AND folder.folder_id = shortcut.parent_id AND folder.seen = $2))
