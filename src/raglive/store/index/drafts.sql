-- name: draft
SELECT content FROM raglive.drafts WHERE file_key = $1 AND generation = $2

-- name: save
-- Only while the attempt still holds the file, and while all drafts together leave room.
INSERT INTO raglive.drafts AS known (file_key, generation, content)
SELECT file_key, $2::bigint, $3::bytea FROM raglive.files
WHERE file_key = $1 AND lease_owner = $4 AND leased_generation = $2::bigint
  AND pg_total_relation_size('raglive.drafts') + octet_length($3::bytea) < $5::bigint
ON CONFLICT (file_key) DO UPDATE SET generation = excluded.generation, content = excluded.content, made_at = now()

-- name: delete
DELETE FROM raglive.drafts WHERE file_key = ANY ($1)
