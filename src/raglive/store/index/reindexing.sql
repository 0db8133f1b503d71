-- name: lock
SELECT pg_try_advisory_lock(hashtextextended('raglive.reindexing', 0))

-- name: lock_indexes
-- The lock of index maintenance: two sessions that build an index, or one that builds and one that alters, would deadlock.
SELECT pg_try_advisory_lock(hashtextextended('raglive.search_indexes', 0))

-- name: block_writers
SELECT pg_advisory_xact_lock(hashtextextended('raglive.active_model', 0))

-- name: add_next
INSERT INTO raglive.embedding_models AS known (provider, model, dimensions, active, next) VALUES ($1, $2, $3, false, true)
ON CONFLICT (provider, model, dimensions) DO UPDATE SET next = true
RETURNING model_key

-- name: type_next
ALTER TABLE raglive.chunks DROP COLUMN next_embedding;
ALTER TABLE raglive.chunks ADD COLUMN next_embedding vector({dimensions})

-- name: index_missing
CREATE INDEX CONCURRENTLY IF NOT EXISTS chunks_without_next ON raglive.chunks (chunk_id) WHERE next_embedding IS NULL

-- name: index_next
CREATE INDEX CONCURRENTLY IF NOT EXISTS chunks_by_next_vector ON raglive.chunks USING hnsw (next_embedding vector_cosine_ops)

-- name: broken_indexes
SELECT index.relname FROM pg_index JOIN pg_class AS index ON index.oid = indexrelid
WHERE indrelid = 'raglive.chunks'::regclass AND NOT indisvalid
  AND index.relname IN ('chunks_without_next', 'chunks_by_next_vector')

-- name: has_index
SELECT EXISTS (SELECT FROM pg_index JOIN pg_class AS index ON index.oid = indexrelid
               WHERE indrelid = 'raglive.chunks'::regclass AND indisvalid AND index.relname = 'chunks_by_next_vector')

-- name: page
-- The first chunks after one that have no vector of the next model.
SELECT chunk.chunk_id, chunk.content_hash, file.file_key, file.pipeline_key, chunk.content
FROM (SELECT chunk_id, file_key, content_hash, content FROM raglive.chunks
      WHERE next_embedding IS NULL AND chunk_id > $1 ORDER BY chunk_id LIMIT $2) AS chunk
JOIN raglive.files AS file USING (file_key)
ORDER BY chunk.chunk_id

-- name: fill
-- Skips a chunk that another transaction is deleting; if it stays after all, the next page has it again.
WITH missing AS MATERIALIZED (
    SELECT chunk_id, content_hash FROM raglive.chunks
    WHERE next_embedding IS NULL AND chunk_id > $1 AND chunk_id <= $2
    FOR UPDATE SKIP LOCKED
)
UPDATE raglive.chunks AS chunk SET next_embedding = cached.embedding
FROM missing JOIN raglive.cached_vectors AS cached USING (content_hash)
WHERE chunk.chunk_id = missing.chunk_id AND cached.model_key = $3

-- name: missing
SELECT count(*) FROM raglive.chunks WHERE next_embedding IS NULL

-- name: chunks
SELECT count(*) FROM raglive.chunks

-- name: dependents
-- Objects of others that depend on the view `documents`: they prevent its column from changing its type.
SELECT DISTINCT pg_describe_object('pg_class'::regclass, dependent.ev_class, 0) AS name
FROM pg_depend JOIN pg_rewrite AS dependent ON dependent.oid = objid
WHERE classid = 'pg_rewrite'::regclass AND refobjid = to_regclass('public.documents') AND ev_class <> refobjid
UNION ALL
SELECT pg_describe_object(classid, objid, 0) FROM pg_depend
WHERE classid = 'pg_proc'::regclass AND refobjid = to_regclass('public.documents')

-- name: rights
-- Owner and privileges of the view `documents`, as statements that restore them.
SELECT format('ALTER VIEW public.documents OWNER TO %s', relowner::regrole) AS statement
FROM pg_class WHERE oid = 'public.documents'::regclass AND relowner <> current_user::regrole
UNION ALL
SELECT format('GRANT %s ON public.documents TO %s%s', privilege_type,
              CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END,
              CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
FROM pg_class, aclexplode(relacl) WHERE oid = 'public.documents'::regclass AND grantee <> relowner
UNION ALL
SELECT format('GRANT %s (%I) ON public.documents TO %s%s', privilege_type, attname,
              CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END,
              CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
FROM pg_attribute, aclexplode(attacl) WHERE attrelid = 'public.documents'::regclass

-- name: drop_documents
DROP VIEW public.documents

-- name: swap
-- Dropping the old column drops its index too. The constraint applies to new chunks at once; that the others have a vector is
-- known, and validated later, when no writer is blocked.
ALTER TABLE raglive.chunks DROP COLUMN embedding;
ALTER TABLE raglive.chunks RENAME COLUMN next_embedding TO embedding;
ALTER TABLE raglive.chunks ADD COLUMN next_embedding vector;
ALTER TABLE raglive.chunks ADD CONSTRAINT chunks_have_vectors CHECK (embedding IS NOT NULL) NOT VALID;
DROP INDEX IF EXISTS raglive.chunks_without_next;
ALTER INDEX IF EXISTS raglive.chunks_by_next_vector RENAME TO chunks_by_vector;
UPDATE raglive.embedding_models SET active = false WHERE active;
UPDATE raglive.embedding_models SET active = true, next = false WHERE next

-- name: is_unvalidated
SELECT EXISTS (SELECT FROM pg_constraint WHERE conrelid = 'raglive.chunks'::regclass AND conname = 'chunks_have_vectors')

-- name: validate
ALTER TABLE raglive.chunks VALIDATE CONSTRAINT chunks_have_vectors

-- name: require_vectors
ALTER TABLE raglive.chunks ALTER COLUMN embedding SET NOT NULL;
ALTER TABLE raglive.chunks DROP CONSTRAINT chunks_have_vectors

-- name: delete_cached
-- Cached vectors that chunks hold by now, and those of former models.
DELETE FROM raglive.cached_vectors WHERE ctid = ANY (ARRAY(
    SELECT cached.ctid FROM raglive.cached_vectors AS cached JOIN raglive.embedding_models USING (model_key)
    WHERE NOT next
      AND (NOT active OR EXISTS (SELECT FROM raglive.chunks WHERE chunks.content_hash = cached.content_hash))
    LIMIT $1))

-- name: abort
DROP INDEX IF EXISTS raglive.chunks_without_next;
ALTER TABLE raglive.chunks DROP COLUMN next_embedding;
ALTER TABLE raglive.chunks ADD COLUMN next_embedding vector;
UPDATE raglive.embedding_models SET next = false WHERE next
