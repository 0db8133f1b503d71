-- name: active_model
SELECT provider, model, dimensions FROM raglive.embedding_models WHERE active

-- name: lock_models
SELECT pg_advisory_xact_lock(hashtextextended('raglive.embedding_models', 0))

-- name: add_model
INSERT INTO raglive.embedding_models (provider, model, dimensions) VALUES ($1, $2, $3)

-- name: known_embeddings
SELECT DISTINCT ON (content_hash) content_hash, embedding
FROM (
    SELECT content_hash, embedding FROM raglive.chunks WHERE content_hash = ANY ($1)
    UNION ALL
    SELECT content_hash, embedding FROM raglive.kept_vectors WHERE content_hash = ANY ($1)
) AS known

-- name: describe
UPDATE raglive.files AS file SET title = said.title, mime_type = said.mime_type
FROM unnest($1::bigint[], $2::text[], $3::text[]) AS said (file_key, title, mime_type)
WHERE file.file_key = said.file_key
