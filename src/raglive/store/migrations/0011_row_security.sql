-- The rights of a token in SQL, for roles that `raglive.grant_view` was called for: the rules of `raglive_contract.permissions`, tested
-- against them.

-- Returns the claims of the token that PostgREST, and so Supabase, has verified for this session.
CREATE FUNCTION raglive.claims() RETURNS jsonb LANGUAGE sql STABLE
RETURN nullif(current_setting('request.jwt.claims', true), '')::jsonb;

-- Matches a glob, in which `*` stands for any characters and `?` for one.
CREATE FUNCTION raglive.matches(name text, glob text) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN name LIKE translate(
    replace(replace(replace(glob, '\', '\\'), '%', '\%'), '_', '\_'), '*?', '%_');

-- Returns the token's claim about raglive, if it is well-formed, gives the right to view, and is not revoked.
CREATE FUNCTION raglive.viewing_grant() RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog
RETURN (
    SELECT stated
    FROM (SELECT raglive.claims() AS claims, raglive.claims() #> '{app_metadata,raglive}' AS stated) AS token
    WHERE jsonb_typeof(stated) = 'object'
      AND jsonb_typeof(stated -> 'role') = 'string' AND stated ->> 'role' IN ('viewer', 'operator', 'admin')
      AND coalesce(jsonb_typeof(stated -> 'redact'), 'boolean') = 'boolean'
      AND CASE coalesce(jsonb_typeof(stated -> 'pipelines'), 'array')
          WHEN 'string' THEN true
          WHEN 'array' THEN NOT jsonb_path_exists(
              coalesce(stated -> 'pipelines', '[]'), 'strict $[*] ? (@.type() != "string")')
          ELSE false END
      AND NOT EXISTS (
          SELECT FROM raglive.revocations AS revoked
          WHERE revoked.token_id = claims ->> 'jti'
             OR (revoked.subject = claims ->> 'sub'
                 AND CASE jsonb_typeof(claims -> 'iat') WHEN 'number' THEN (claims ->> 'iat')::numeric ELSE 0 END
                     <= extract(epoch FROM revoked.revoked_at))));

-- Returns whether the token's globs cover a pipeline.
CREATE FUNCTION raglive.may_view(pipeline_id text) RETURNS boolean LANGUAGE sql STABLE
RETURN EXISTS (
    SELECT FROM jsonb_array_elements_text(
        CASE jsonb_typeof(raglive.viewing_grant() -> 'pipelines')
            WHEN 'string' THEN jsonb_build_array(raglive.viewing_grant() -> 'pipelines')
            WHEN 'array' THEN raglive.viewing_grant() -> 'pipelines'
            ELSE '[]' END) AS one (glob)
    WHERE raglive.matches(pipeline_id, glob));

CREATE FUNCTION raglive.is_redacted() RETURNS boolean LANGUAGE sql STABLE
RETURN coalesce((raglive.viewing_grant() -> 'redact')::boolean, false);

-- Lets a role read what the claims of its sessions allow. A session with a redacted token sees the pipelines but no row that
-- names a file or a location, because single columns of a row cannot be masked here.
CREATE FUNCTION raglive.grant_view(reader regrole) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    rule record;
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA raglive TO %s', reader);
    EXECUTE format('GRANT EXECUTE ON FUNCTION raglive.claims(), raglive.matches(text, text), raglive.viewing_grant(),'
        ' raglive.may_view(text), raglive.is_redacted(), raglive.pipeline_status(integer),'
        ' raglive.standing(raglive.files), raglive.rfc3339(timestamptz),'
        ' raglive.cursor(text, bigint) TO %s', reader);
    EXECUTE format('GRANT SELECT (pipeline_key, pipeline_id, pipeline_type, created_at, last_heartbeat, last_check_time,'
        ' next_check_time, is_checking, uptime, memory_usage, is_managed) ON raglive.pipelines TO %s', reader);
    EXECUTE format('GRANT SELECT ON raglive.heads, raglive.events, raglive.files, raglive.attempts, raglive.chunks,'
        ' raglive.dataset_rows, public.document_metadata, public.document_rows, public.rag_pipeline_state TO %s', reader);
    IF to_regclass('public.documents') IS NOT NULL THEN -- made when the first pipeline starts
        EXECUTE format('GRANT SELECT ON public.documents TO %s', reader);
        EXECUTE format('GRANT EXECUTE ON FUNCTION public.match_documents TO %s', reader);
    END IF;
    FOR rule IN SELECT * FROM (VALUES
        ('pipelines', 'raglive.may_view(pipeline_id)'),
        ('heads', 'NOT raglive.is_redacted() AND pipeline_key IN (SELECT pipeline_key FROM raglive.pipelines)'),
        ('events', 'NOT raglive.is_redacted() AND pipeline_key IN (SELECT pipeline_key FROM raglive.pipelines)'),
        ('files', 'NOT raglive.is_redacted() AND pipeline_key IN (SELECT pipeline_key FROM raglive.pipelines)'),
        ('attempts', 'EXISTS (SELECT FROM raglive.files AS file WHERE file.file_key = attempts.file_key)'),
        ('chunks', 'EXISTS (SELECT FROM raglive.files AS file WHERE file.file_key = chunks.file_key)'),
        ('dataset_rows', 'EXISTS (SELECT FROM raglive.files AS file WHERE file.file_key = dataset_rows.file_key)')
    ) AS rules (name, condition)
    LOOP
        EXECUTE format('DROP POLICY IF EXISTS %I ON raglive.%I', 'grant_view_' || reader, rule.name);
        EXECUTE format('CREATE POLICY %I ON raglive.%I FOR SELECT TO %s USING (%s)',
            'grant_view_' || reader, rule.name, reader, rule.condition);
    END LOOP;
END $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA raglive FROM PUBLIC;
