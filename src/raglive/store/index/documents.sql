-- name: known_embeddings
-- What a chunk holds is of the active model.
SELECT DISTINCT ON (content_hash) content_hash, embedding
FROM (
    SELECT content_hash, embedding FROM raglive.chunks
    WHERE content_hash = ANY ($1)
      AND EXISTS (SELECT FROM raglive.embedding_models WHERE active AND model_key = $2)
    UNION ALL
    SELECT content_hash, embedding FROM raglive.kept_vectors WHERE model_key = $2 AND content_hash = ANY ($1)
) AS known

-- name: describe
UPDATE raglive.files AS file SET title = said.title, mime_type = said.mime_type
FROM unnest($1::bigint[], $2::text[], $3::text[]) AS said (file_key, title, mime_type)
WHERE file.file_key = said.file_key
