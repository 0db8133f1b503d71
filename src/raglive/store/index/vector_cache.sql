-- name: find
-- The vector in a chunk's row belongs to the active model.
SELECT DISTINCT ON (content_hash) content_hash, embedding
FROM (
    SELECT content_hash, embedding FROM raglive.chunks
    WHERE content_hash = ANY ($1)
      AND EXISTS (SELECT FROM raglive.embedding_models WHERE active AND model_key = $2)
    UNION ALL
    SELECT content_hash, embedding FROM raglive.cached_vectors WHERE model_key = $2 AND content_hash = ANY ($1)
) AS known

-- name: add
INSERT INTO raglive.cached_vectors (model_key, content_hash, embedding) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING

-- name: add_indexed
INSERT INTO raglive.cached_vectors (model_key, content_hash, embedding)
SELECT DISTINCT ON (content_hash) model_key, content_hash, embedding
FROM raglive.chunks CROSS JOIN raglive.embedding_models
WHERE file_key = $1 AND active
ORDER BY content_hash
ON CONFLICT DO NOTHING

-- name: delete
DELETE FROM raglive.cached_vectors
WHERE content_hash = ANY ($1) AND model_key = (SELECT model_key FROM raglive.embedding_models WHERE active)
