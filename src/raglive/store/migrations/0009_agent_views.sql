-- Views with the names that agents and earlier clients read. `documents` and `match_documents` are made with the first model.
-- Row-level security applies to the reader, because the views run with the reader's rights.

CREATE VIEW public.document_metadata WITH (security_invoker) AS
SELECT file.file_id AS id,
       coalesce(file.title, file.name) AS title,
       file.url,
       file.first_seen_at AS created_at,
       (SELECT jsonb_agg(column_name ORDER BY column_name)::text
        FROM raglive.dataset_rows AS row, jsonb_object_keys(row.row_data) AS column_name
        WHERE row.file_key = file.file_key AND row.row_index = 0) AS schema
FROM raglive.files AS file
WHERE EXISTS (SELECT FROM raglive.chunks AS chunk WHERE chunk.file_key = file.file_key);

CREATE VIEW public.document_rows WITH (security_invoker) AS
SELECT row.row_id AS id, file.file_id AS dataset_id, row.row_data
FROM raglive.dataset_rows AS row JOIN raglive.files AS file USING (file_key);

CREATE VIEW public.rag_pipeline_state WITH (security_invoker) AS
SELECT pipeline.pipeline_id,
       pipeline.pipeline_type,
       pipeline.last_check_time,
       (SELECT coalesce(jsonb_object_agg(file.file_id, raglive.rfc3339(file.updated_at)), '{}')
        FROM raglive.files AS file
        WHERE file.pipeline_key = pipeline.pipeline_key AND file.state <> 'deleted') AS known_files,
       pipeline.last_check_time AS last_run,
       head.status AS server_status,
       pipeline.last_heartbeat,
       raglive.pipeline_status(pipeline.pipeline_key) AS status_details,
       pipeline.created_at,
       greatest(pipeline.created_at, pipeline.last_heartbeat, head.last_activity) AS updated_at
FROM raglive.pipelines AS pipeline JOIN raglive.heads AS head USING (pipeline_key);

-- Supabase grants its API roles access to every new object of `public`.
DO $$
DECLARE
    api_role text;
BEGIN
    FOR api_role IN SELECT rolname FROM pg_roles WHERE rolname IN ('anon', 'authenticated') LOOP
        EXECUTE format('REVOKE ALL ON public.document_metadata, public.document_rows, public.rag_pipeline_state FROM %I', api_role);
    END LOOP;
    REVOKE ALL ON public.document_metadata, public.document_rows, public.rag_pipeline_state FROM PUBLIC;
END $$;
