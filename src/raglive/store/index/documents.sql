-- name: delete_chunks
DELETE FROM raglive.chunks WHERE file_key = ANY ($1)

-- name: delete_rows
DELETE FROM raglive.dataset_rows WHERE file_key = ANY ($1)

-- name: describe
UPDATE raglive.files AS file SET title = described.title, mime_type = described.mime_type
FROM unnest($1::bigint[], $2::text[], $3::text[]) AS described (file_key, title, mime_type)
WHERE file.file_key = described.file_key
