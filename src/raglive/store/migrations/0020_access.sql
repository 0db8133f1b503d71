-- Tokens that hold no longer, and what operators did.

-- A token by its id, or every token of a subject that was issued until then.
CREATE TABLE raglive.revocations (
    revocation_key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    token_id       text CHECK (token_id <> ''),
    subject        text CHECK (subject <> ''),
    revoked_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    revoked_by     text NOT NULL,
    reason         text,
    CHECK (num_nonnulls(token_id, subject) = 1)
);

-- Who did what: acts of operators, the last 100,000. What viewers do is in the servers' logs.
CREATE TABLE raglive.operator_acts (
    act_key     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    acted_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor       text NOT NULL,
    action      text NOT NULL,
    pipeline_id text,
    detail      jsonb NOT NULL DEFAULT '{}'
);

CREATE FUNCTION raglive.forget_old_acts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM raglive.operator_acts WHERE act_key <= (SELECT max(act_key) FROM raglive.operator_acts) - 100000;
    RETURN NULL;
END $$;
CREATE TRIGGER forget_old AFTER INSERT ON raglive.operator_acts
FOR EACH STATEMENT EXECUTE FUNCTION raglive.forget_old_acts();

ALTER TABLE raglive.revocations ENABLE ROW LEVEL SECURITY;
ALTER TABLE raglive.operator_acts ENABLE ROW LEVEL SECURITY;
REVOKE ALL ON FUNCTION raglive.forget_old_acts() FROM PUBLIC;

-- The rights of a token in SQL, for a role that `raglive.let_in` was called for: the rules of contract/permissions.py, tested
-- against them. The claims are where PostgREST, and so Supabase, puts those of the token that it has checked.
CREATE FUNCTION raglive.claims() RETURNS jsonb LANGUAGE sql STABLE
RETURN nullif(current_setting('request.jwt.claims', true), '')::jsonb;

-- `*` stands for any characters and `?` for one; nothing else is special.
CREATE FUNCTION raglive.matches(name text, glob text) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN name LIKE translate(
    replace(replace(replace(glob, '\', '\\'), '%', '\%'), '_', '\_'), '*?', '%_');

-- What the token says of raglive, if it gives the right to look, holds, and can be understood.
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

-- Let a role read what the claims of its sessions allow. A redacted token sees which pipelines there are, and no row that
-- names a file or a place: rows cannot be masked here.
CREATE FUNCTION raglive.let_in(reader regrole) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    rule record;
BEGIN
    EXECUTE format('GRANT USAGE ON SCHEMA raglive TO %s', reader);
    EXECUTE format('GRANT EXECUTE ON FUNCTION raglive.claims(), raglive.matches(text, text), raglive.viewing_grant(),'
        ' raglive.may_view(text), raglive.is_redacted(), raglive.pipeline_status(integer), raglive.rfc3339(timestamptz),'
        ' raglive.cursor(text, bigint) TO %s', reader);
    EXECUTE format('GRANT SELECT (pipeline_key, pipeline_id, pipeline_type, created_at, last_heartbeat, last_check_time,'
        ' next_check_time, is_checking, uptime, memory_usage) ON raglive.pipelines TO %s', reader);
    EXECUTE format('GRANT SELECT ON raglive.heads, raglive.events, raglive.files, raglive.attempts, raglive.chunks,'
        ' raglive.dataset_rows, public.document_metadata, public.document_rows, public.rag_pipeline_state TO %s', reader);
    IF to_regclass('public.documents') IS NOT NULL THEN -- once a first pipeline has started
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
        EXECUTE format('DROP POLICY IF EXISTS %I ON raglive.%I', 'let_in_' || reader, rule.name);
        EXECUTE format('CREATE POLICY %I ON raglive.%I FOR SELECT TO %s USING (%s)',
            'let_in_' || reader, rule.name, reader, rule.condition);
    END LOOP;
END $$;

REVOKE ALL ON FUNCTION raglive.claims(), raglive.matches(text, text), raglive.viewing_grant(), raglive.may_view(text),
    raglive.is_redacted(), raglive.let_in(regrole) FROM PUBLIC;
