-- name: files_by_id
SELECT file_key, file_id, location, name, folder, size_bytes, state, source
FROM raglive.files
WHERE pipeline_key = $1 AND file_id = ANY ($2) AND state <> 'deleted' AND location IS NOT NULL

-- name: folders_above
WITH RECURSIVE up AS (
    SELECT folder_id, parent_id, name, path, log, is_root, state FROM raglive.google_folders
    WHERE pipeline_key = $1 AND folder_id = ANY ($2)
    UNION
    SELECT above.folder_id, above.parent_id, above.name, above.path, above.log, above.is_root, above.state
    FROM up JOIN raglive.google_folders AS above ON above.pipeline_key = $1 AND above.folder_id = up.parent_id
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

-- name: roots
SELECT folder_id, parent_id, name, path, log, is_root, state FROM raglive.google_folders
WHERE pipeline_key = $1 AND is_root

-- name: put_folders
-- Whatever a full listing has not met before is listed in turn.
INSERT INTO raglive.google_folders AS known (pipeline_key, folder_id, parent_id, name, path, log, state, seen)
SELECT $1, folder_id, parent_id, name, path, log, 'pending', $7
FROM unnest($2::text[], $3::text[], $4::text[], $5::text[], $6::text[]) AS new (folder_id, parent_id, name, path, log)
ORDER BY folder_id
ON CONFLICT (pipeline_key, folder_id) DO UPDATE SET
    parent_id = excluded.parent_id, name = excluded.name, path = excluded.path,
    log = CASE WHEN known.is_root THEN known.log ELSE excluded.log END,
    state = CASE WHEN known.state = 'listed' AND $8 AND known.seen IS DISTINCT FROM excluded.seen
                 THEN 'pending' ELSE known.state END,
    seen = excluded.seen

-- name: put_root
INSERT INTO raglive.google_folders AS known (pipeline_key, folder_id, name, path, log, is_root, state)
VALUES ($1, $2, $3, $4, $5, true, 'pending')
ON CONFLICT (pipeline_key, folder_id) DO UPDATE SET
    name = excluded.name, path = excluded.path, log = excluded.log, is_root = true, state = 'pending'

-- name: forget_roots
UPDATE raglive.google_folders SET is_root = false, parent_id = NULL, state = 'listed'
WHERE pipeline_key = $1 AND is_root AND folder_id <> ALL ($2)

-- name: set_roots_away
UPDATE raglive.google_folders SET state = 'away' WHERE pipeline_key = $1 AND is_root AND folder_id = ANY ($2)

-- name: has_lost_root
SELECT EXISTS (SELECT FROM raglive.google_folders
               WHERE pipeline_key = $1 AND is_root AND state = 'away' AND seen IS DISTINCT FROM $2)

-- name: leave_out_of_reach
-- What no watched folder that is there holds is not to be listed; when one comes back, everything is.
WITH RECURSIVE up AS (
    SELECT folder_id AS pending_id, parent_id, is_root, state FROM raglive.google_folders
    WHERE pipeline_key = $1 AND state = 'pending'
    UNION
    SELECT up.pending_id, above.parent_id, above.is_root, above.state
    FROM up JOIN raglive.google_folders AS above ON above.pipeline_key = $1 AND above.folder_id = up.parent_id
    WHERE NOT up.is_root
)
UPDATE raglive.google_folders SET state = 'listed'
WHERE pipeline_key = $1 AND state = 'pending'
  AND folder_id NOT IN (SELECT pending_id FROM up WHERE is_root AND state <> 'away')

-- name: repath
WITH RECURSIVE down AS (
    SELECT folder_id, path, log FROM raglive.google_folders WHERE pipeline_key = $1 AND folder_id = ANY ($2)
    UNION ALL
    SELECT below.folder_id, CASE WHEN down.path = '' THEN below.name ELSE down.path || '/' || below.name END, down.log
    FROM down JOIN raglive.google_folders AS below ON below.pipeline_key = $1 AND below.parent_id = down.folder_id
    WHERE NOT below.is_root AND below.folder_id <> ALL ($2)
), placed AS (
    UPDATE raglive.google_folders AS folder SET path = down.path, log = down.log
    FROM down WHERE folder.pipeline_key = $1 AND folder.folder_id = down.folder_id
), stale AS (
    SELECT file_key, file_id, name, folder AS previous_folder, down.path
    FROM raglive.files AS file JOIN down ON file.source ->> 'parent' = down.folder_id
    WHERE file.pipeline_key = $1 AND file.state <> 'deleted' AND file.source ? 'parent' AND file.folder <> down.path
    ORDER BY file_key FOR UPDATE OF file
), rehoused AS (
    UPDATE raglive.files AS file SET folder = stale.path, updated_at = clock_timestamp()
    FROM stale WHERE file.file_key = stale.file_key
    RETURNING stale.file_id, stale.name, stale.path, stale.previous_folder
)
SELECT file_id, name, path, previous_folder, count(*) OVER () AS total FROM rehoused
WHERE file_id <> ALL ($3) LIMIT $4

-- name: relist
WITH RECURSIVE below AS (
    SELECT folder_id FROM raglive.google_folders WHERE pipeline_key = $1 AND folder_id = ANY ($2)
    UNION
    SELECT folder.folder_id
    FROM below JOIN raglive.google_folders AS folder ON folder.pipeline_key = $1 AND folder.parent_id = below.folder_id
)
UPDATE raglive.google_folders AS folder SET state = 'pending' FROM below
WHERE folder.pipeline_key = $1 AND folder.folder_id = below.folder_id AND folder.state = 'listed'

-- name: remove_folders
WITH RECURSIVE below AS (
    SELECT folder_id FROM raglive.google_folders
    WHERE pipeline_key = $1 AND folder_id = ANY ($2) AND NOT is_root
    UNION
    SELECT folder.folder_id
    FROM below JOIN raglive.google_folders AS folder ON folder.pipeline_key = $1 AND folder.parent_id = below.folder_id
    WHERE NOT folder.is_root
)
DELETE FROM raglive.google_folders AS folder USING below
WHERE folder.pipeline_key = $1 AND folder.folder_id = below.folder_id
RETURNING folder.folder_id

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
-- Targets in folders ($2) that are no longer in scope: what has become of them is still to be asked.
UPDATE raglive.google_shortcuts SET unchecked = true
WHERE pipeline_key = $1 AND target_id IN (
    SELECT file_id FROM raglive.files
    WHERE pipeline_key = $1 AND state <> 'deleted' AND source ? 'parent' AND source ->> 'parent' = ANY ($2))

-- name: lock_leaving
-- All that `leaving` may return, in one order, before the head is locked.
SELECT count(*) FROM (
    SELECT FROM raglive.files
    WHERE pipeline_key = $1 AND state <> 'deleted'
      AND (file_key = ANY ($2) OR file_id = ANY ($3) OR source ? 'parent' AND source ->> 'parent' = ANY ($4))
    ORDER BY file_key FOR UPDATE
) AS held

-- name: leaving
-- Files by key ($2, for reasons $3); those in folders ($4, for reasons $5) and targets of shortcuts ($6) that are in
-- scope no longer, unless a folder or another shortcut still reaches them.
WITH leaving AS (
    SELECT file_key, reason, 1 AS rank FROM unnest($2::bigint[], $3::text[]) AS said (file_key, reason)
    UNION ALL
    SELECT file_key, left_folder.reason, 2
    FROM unnest($4::text[], $5::text[]) AS left_folder (folder_id, reason)
    JOIN raglive.files AS file ON file.source ->> 'parent' = left_folder.folder_id
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
    SELECT DISTINCT ON (file_key) file_key, reason FROM leaving ORDER BY file_key, rank
)
SELECT file_key, file_id, location, name, folder, size_bytes, state, source, first.reason
FROM raglive.files JOIN first USING (file_key)
WHERE pipeline_key = $1 AND state <> 'deleted' AND location IS NOT NULL
ORDER BY file_key

-- name: uncheck_outside
-- Targets that no watched folder holds: nothing tells when a folder above them is trashed.
UPDATE raglive.google_shortcuts SET unchecked = true
WHERE pipeline_key = $1 AND target_id IN (
    SELECT shortcut.target_id FROM raglive.google_shortcuts AS shortcut
    LEFT JOIN raglive.files AS file ON file.pipeline_key = $1 AND file.file_id = shortcut.target_id
    WHERE shortcut.pipeline_key = $1
      AND NOT EXISTS (SELECT FROM raglive.google_folders AS folder
                      WHERE folder.pipeline_key = $1 AND folder.folder_id = file.source ->> 'parent')
    LIMIT $2)

-- name: uncheck_unmet
-- Targets that a full listing has met in no folder: trashed, moved out, or always elsewhere.
UPDATE raglive.google_shortcuts SET unchecked = true
WHERE pipeline_key = $1 AND target_id NOT IN (
    SELECT file.file_id FROM raglive.files AS file
    JOIN raglive.google_folders AS folder
      ON folder.pipeline_key = $1 AND folder.folder_id = file.source ->> 'parent' AND folder.seen = $2
    WHERE file.pipeline_key = $1 AND file.state <> 'deleted'
      AND NOT EXISTS (SELECT FROM raglive.google_missing AS missing
                      WHERE missing.pipeline_key = $1 AND missing.item_id = file.file_id))

-- name: note_drives
UPDATE raglive.google_shortcuts AS shortcut SET drive = new.drive
FROM unnest($2::text[], $3::text[]) AS new (target_id, drive)
WHERE shortcut.pipeline_key = $1 AND shortcut.target_id = new.target_id AND shortcut.drive <> new.drive

-- name: target_drives
SELECT DISTINCT drive FROM raglive.google_shortcuts WHERE pipeline_key = $1

-- name: unchecked
SELECT DISTINCT target_id FROM raglive.google_shortcuts WHERE pipeline_key = $1 AND unchecked LIMIT $2

-- name: checked
UPDATE raglive.google_shortcuts SET unchecked = false WHERE pipeline_key = $1 AND target_id = ANY ($2) AND unchecked

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

-- name: unmeet
UPDATE raglive.google_folders SET seen = NULL WHERE pipeline_key = $1 AND folder_id = ANY ($2)

-- name: begin_full_listing
UPDATE raglive.google_folders SET state = 'pending', seen = NULL
WHERE pipeline_key = $1 AND is_root AND state <> 'away'

-- name: clear_missing
DELETE FROM raglive.google_missing WHERE pipeline_key = $1

-- name: keep_away
WITH RECURSIVE below AS (
    SELECT folder_id FROM raglive.google_folders WHERE pipeline_key = $1 AND is_root AND state = 'away'
    UNION
    SELECT folder.folder_id
    FROM below JOIN raglive.google_folders AS folder ON folder.pipeline_key = $1 AND folder.parent_id = below.folder_id
)
UPDATE raglive.google_folders AS folder SET seen = $2, state = CASE WHEN state = 'pending' THEN 'listed' ELSE state END
FROM below WHERE folder.pipeline_key = $1 AND folder.folder_id = below.folder_id

-- name: expect
-- All that should be found in these folders; what is found is taken out again.
INSERT INTO raglive.google_missing (pipeline_key, item_id)
SELECT $1, file_id FROM raglive.files
WHERE pipeline_key = $1 AND state <> 'deleted' AND source ? 'parent' AND source ->> 'parent' = ANY ($2)
UNION
SELECT $1, shortcut_id FROM raglive.google_shortcuts WHERE pipeline_key = $1 AND parent_id = ANY ($2)
ON CONFLICT DO NOTHING

-- name: found
DELETE FROM raglive.google_missing WHERE pipeline_key = $1 AND item_id = ANY ($2)

-- name: unseen_files
-- The first of them, each with how many there are.
WITH live AS (
    SELECT folder_id FROM raglive.google_folders WHERE pipeline_key = $1 AND seen = $2
), missing AS (
    SELECT item_id FROM raglive.google_missing WHERE pipeline_key = $1
), reached AS (
    SELECT target_id FROM raglive.google_shortcuts
    WHERE pipeline_key = $1 AND parent_id IN (TABLE live) AND shortcut_id NOT IN (TABLE missing)
)
SELECT file_key, file_id, location, name, folder, size_bytes, state, source, count(*) OVER () AS total
FROM raglive.files
WHERE pipeline_key = $1 AND state <> 'deleted' AND location IS NOT NULL
  AND (file_id IN (TABLE missing)
       OR source ->> 'parent' IS NULL
       OR source ->> 'parent' NOT IN (TABLE live))
  AND file_id NOT IN (TABLE reached)
ORDER BY file_key
LIMIT $3

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

-- name: patch_watch_state
UPDATE raglive.pipelines SET watch_state = watch_state || $2 WHERE pipeline_key = $1

-- name: requeue_refused
WITH requeued AS (
    UPDATE raglive.files SET state = 'queued', tries = 0, next_attempt_at = clock_timestamp(), error = NULL,
        desired_generation = desired_generation + 1, updated_at = clock_timestamp()
    WHERE pipeline_key = $1 AND state IN ('failed', 'queued') AND error ->> 'code' = ANY ($2)
    RETURNING file_id, name
)
SELECT file_id, name, count(*) OVER () AS total FROM requeued LIMIT $3
