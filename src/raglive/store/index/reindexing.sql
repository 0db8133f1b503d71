-- name: lock
SELECT pg_try_advisory_lock(hashtextextended('raglive.reindexing', 0))

-- name: lock_indexes
-- As those who look after the search indexes do: two that build, or one that builds and one that alters, wait for one another.
SELECT pg_try_advisory_lock(hashtextextended('raglive.search_indexes', 0))

-- name: hold_back_writers
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
-- The next chunks without a vector of the next model; the text of those whose vector is not known either.
SELECT chunk.chunk_id, chunk.content_hash, file.file_key, file.pipeline_key, chunk.content
FROM (SELECT chunk_id, file_key, content_hash, content FROM raglive.chunks
      WHERE next_embedding IS NULL AND chunk_id > $1 ORDER BY chunk_id LIMIT $2) AS chunk
JOIN raglive.files AS file USING (file_key)
ORDER BY chunk.chunk_id

-- name: fill
-- A chunk that somebody deletes at the moment is left alone: if it stays, it is found missing again.
WITH missing AS MATERIALIZED (
    SELECT chunk_id, content_hash FROM raglive.chunks
    WHERE next_embedding IS NULL AND chunk_id > $1 AND chunk_id <= $2
    FOR UPDATE SKIP LOCKED
)
UPDATE raglive.chunks AS chunk SET next_embedding = kept.embedding
FROM missing JOIN raglive.kept_vectors AS kept USING (content_hash)
WHERE chunk.chunk_id = missing.chunk_id AND kept.model_key = $3

-- name: missing
SELECT count(*) FROM raglive.chunks WHERE next_embedding IS NULL

-- name: chunks
SELECT count(*) FROM raglive.chunks

-- name: dependents
-- What others made of `documents`: it stands in the way of a column of another type.
SELECT DISTINCT pg_describe_object('pg_class'::regclass, dependent.ev_class, 0) AS name
FROM pg_depend JOIN pg_rewrite AS dependent ON dependent.oid = objid
WHERE classid = 'pg_rewrite'::regclass AND refobjid = to_regclass('public.documents') AND ev_class <> refobjid
UNION ALL
SELECT pg_describe_object(classid, objid, 0) FROM pg_depend
WHERE classid = 'pg_proc'::regclass AND refobjid = to_regclass('public.documents')

-- name: rights
-- Who may do what with `documents`, as statements that say so again.
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
-- The view first, as whoever reads it. The old vectors' index goes with their column. New chunks have to have a vector from now on;
-- that the others do is known, and proven afterwards, when nobody waits.
ALTER TABLE raglive.chunks DROP COLUMN embedding;
ALTER TABLE raglive.chunks RENAME COLUMN next_embedding TO embedding;
ALTER TABLE raglive.chunks ADD COLUMN next_embedding vector;
ALTER TABLE raglive.chunks ADD CONSTRAINT chunks_have_vectors CHECK (embedding IS NOT NULL) NOT VALID;
DROP INDEX IF EXISTS raglive.chunks_without_next;
ALTER INDEX IF EXISTS raglive.chunks_by_next_vector RENAME TO chunks_by_vector;
UPDATE raglive.embedding_models SET active = false WHERE active;
UPDATE raglive.embedding_models SET active = true, next = false WHERE next

-- name: is_unproven
SELECT EXISTS (SELECT FROM pg_constraint WHERE conrelid = 'raglive.chunks'::regclass AND conname = 'chunks_have_vectors')

-- name: prove
ALTER TABLE raglive.chunks VALIDATE CONSTRAINT chunks_have_vectors

-- name: require
ALTER TABLE raglive.chunks ALTER COLUMN embedding SET NOT NULL;
ALTER TABLE raglive.chunks DROP CONSTRAINT chunks_have_vectors

-- name: forget_vectors
-- What is in the index, and what another model made.
DELETE FROM raglive.kept_vectors WHERE ctid = ANY (ARRAY(
    SELECT kept.ctid FROM raglive.kept_vectors AS kept JOIN raglive.embedding_models USING (model_key)
    WHERE NOT next
      AND (NOT active OR EXISTS (SELECT FROM raglive.chunks WHERE chunks.content_hash = kept.content_hash))
    LIMIT $1))

-- name: give_up
DROP INDEX IF EXISTS raglive.chunks_without_next;
ALTER TABLE raglive.chunks DROP COLUMN next_embedding;
ALTER TABLE raglive.chunks ADD COLUMN next_embedding vector;
UPDATE raglive.embedding_models SET next = false WHERE next
