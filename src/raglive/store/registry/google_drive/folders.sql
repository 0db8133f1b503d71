-- name: roots
SELECT folder_id, parent_id, name, path, log, is_root, state FROM raglive.google_folders
WHERE pipeline_key = $1 AND is_root

-- name: all_folders
SELECT folder_id, parent_id, name, path, log, is_root, state FROM raglive.google_folders
WHERE pipeline_key = $1 AND state <> 'unreadable'

-- name: put_root
INSERT INTO raglive.google_folders AS known (pipeline_key, folder_id, name, path, log, is_root, state)
VALUES ($1, $2, $3, $4, $5, true, 'pending')
ON CONFLICT (pipeline_key, folder_id) DO UPDATE SET
    name = excluded.name, path = excluded.path, log = excluded.log, is_root = true, state = 'pending'

-- name: forget_roots
UPDATE raglive.google_folders SET is_root = false, parent_id = NULL, state = 'listed'
WHERE pipeline_key = $1 AND is_root AND folder_id <> ALL ($2)

-- name: mark_roots_unreadable
UPDATE raglive.google_folders SET state = 'unreadable' WHERE pipeline_key = $1 AND is_root AND folder_id = ANY ($2)

-- name: has_lost_root
SELECT EXISTS (SELECT FROM raglive.google_folders
               WHERE pipeline_key = $1 AND is_root AND state = 'unreadable' AND seen IS DISTINCT FROM $2)

-- name: leave_out_of_reach
-- A folder below no available watched folder is not listed. When a watched folder comes back, a full listing follows.
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
  AND folder_id NOT IN (SELECT pending_id FROM up WHERE is_root AND state <> 'unreadable')

-- name: put_folders
-- In a full listing ($8), a folder that it finds for the first time becomes pending.
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
), relocated AS (
    UPDATE raglive.files AS file SET folder = stale.path, updated_at = clock_timestamp()
    FROM stale WHERE file.file_key = stale.file_key
    RETURNING stale.file_id, stale.name, stale.path, stale.previous_folder
)
SELECT file_id, name, path, previous_folder, count(*) OVER () AS total FROM relocated
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
