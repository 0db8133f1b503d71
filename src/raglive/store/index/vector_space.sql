-- name: active_model
SELECT model_key, provider, model, dimensions, base_url, asked_dimensions FROM raglive.embedding_models WHERE active

-- name: next_model
SELECT model_key, provider, model, dimensions, base_url, asked_dimensions FROM raglive.embedding_models WHERE next

-- name: lock_models
SELECT pg_advisory_xact_lock(hashtextextended('raglive.embedding_models', 0))

-- name: hold
SELECT raglive.holds_model($1)

-- name: add_model
INSERT INTO raglive.embedding_models (provider, model, dimensions) VALUES ($1, $2, $3) RETURNING model_key

-- name: save_source
UPDATE raglive.embedding_models SET base_url = $2, asked_dimensions = $3
WHERE model_key = $1 AND (base_url, asked_dimensions) IS DISTINCT FROM ($2, $3)

-- name: type_embeddings
ALTER TABLE raglive.chunks ALTER COLUMN embedding TYPE vector({dimensions})

-- name: create_documents
CREATE VIEW public.documents WITH (security_invoker) AS
SELECT chunk.chunk_id AS id,
       chunk.content,
       jsonb_strip_nulls(jsonb_build_object(
           'file_id', file.file_id,
           'file_url', coalesce(file.url, ''),
           'file_title', file.name,
           'mime_type', file.mime_type,
           'chunk_index', chunk.chunk_index,
           'page', chunk.page,
           'source', pipeline.pipeline_type,
           'pipeline_id', pipeline.pipeline_id)) AS metadata,
       chunk.embedding
FROM raglive.chunks AS chunk
JOIN raglive.files AS file USING (file_key)
JOIN raglive.pipelines AS pipeline USING (pipeline_key);

REVOKE ALL ON public.documents FROM PUBLIC;
DO $roles$
DECLARE
    api_role text;
BEGIN
    FOR api_role IN SELECT rolname FROM pg_roles WHERE rolname IN ('anon', 'authenticated') LOOP
        EXECUTE format('REVOKE ALL ON public.documents FROM %I', api_role);
    END LOOP;
END $roles$

-- name: create_match
CREATE FUNCTION public.match_documents(
    query_embedding vector({dimensions}), match_count integer DEFAULT 10, filter jsonb DEFAULT '{{}}'
) RETURNS TABLE (id bigint, content text, metadata jsonb, similarity double precision)
LANGUAGE sql STABLE
AS $match$
    SELECT document.id, document.content, document.metadata, 1 - (document.embedding <=> query_embedding)
    FROM public.documents AS document
    WHERE document.metadata @> filter
    ORDER BY document.embedding <=> query_embedding
    LIMIT match_count
$match$;

REVOKE ALL ON FUNCTION public.match_documents FROM PUBLIC;
DO $roles$
DECLARE
    api_role text;
BEGIN
    FOR api_role IN SELECT rolname FROM pg_roles WHERE rolname IN ('anon', 'authenticated') LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION public.match_documents FROM %I', api_role);
    END LOOP;
END $roles$;
