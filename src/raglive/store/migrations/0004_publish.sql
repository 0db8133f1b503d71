-- Publishing: an event, and what it says of the files, in the caller's transaction.

-- What each durable event may hold, of which kind and within which bounds; the same as contract/events.py.
CREATE TABLE raglive.event_fields (
    type     text NOT NULL,
    path     text[] NOT NULL,
    kind     text NOT NULL CHECK (kind IN (
                 'string', 'uuid', 'time', 'integer', 'number', 'boolean', 'object', 'stages', 'problem')),
    required boolean NOT NULL,
    least    numeric, -- of a number, or of the length of a text
    most     numeric,
    pattern  text,
    one_of   text[],
    PRIMARY KEY (type, path)
);
INSERT INTO raglive.event_fields (type, path, kind, required, least, most, pattern, one_of) VALUES
    ('pipeline:online',  '{status}',                       'string',  false, NULL, NULL, NULL, '{online}'),
    ('pipeline:online',  '{started_at}',                   'time',    true,  NULL, NULL, NULL, NULL),
    ('pipeline:online',  '{check_interval}',               'number',  true,  0,    NULL, NULL, NULL),
    ('pipeline:online',  '{watch_location}',               'string',  true,  NULL, 4096, NULL, NULL),
    ('pipeline:offline', '{status}',                       'string',  false, NULL, NULL, NULL, '{offline}'),
    ('pipeline:offline', '{shutdown_at}',                  'time',    true,  NULL, NULL, NULL, NULL),
    ('pipeline:offline', '{reason}',                       'string',  true,  NULL, NULL, NULL, '{normal_shutdown,error,timeout}'),
    ('file:processing',  '{file,started_at}',              'time',    true,  NULL, NULL, NULL, NULL),
    ('file:processing',  '{processing_stage}',             'string',  true,  NULL, NULL, NULL, '{extraction,chunking,embedding,storing}'),
    ('file:processing',  '{estimated_duration}',           'number',  false, 0,    NULL, NULL, NULL),
    ('file:completed',   '{file,completed_at}',            'time',    true,  NULL, NULL, NULL, NULL),
    ('file:completed',   '{results,chunks_created}',       'integer', true,  0, 9007199254740991, NULL, NULL),
    ('file:completed',   '{results,embeddings_generated}', 'integer', true,  0, 9007199254740991, NULL, NULL),
    ('file:completed',   '{results,processing_duration}',  'number',  true,  0,    NULL, NULL, NULL),
    ('file:completed',   '{results,content_length}',       'integer', true,  0, 9007199254740991, NULL, NULL),
    ('file:completed',   '{success}',                      'boolean', false, NULL, NULL, NULL, '{true}'),
    ('file:failed',      '{file,failed_at}',               'time',    true,  NULL, NULL, NULL, NULL),
    ('file:failed',      '{error,type}',                   'string',  true,  NULL, 128,  NULL, NULL),
    ('file:failed',      '{error,code}',                   'string',  true,  NULL, NULL, '^[a-z][a-z0-9_]{0,63}$', NULL),
    ('file:failed',      '{error,message}',                'string',  true,  NULL, 4000, NULL, NULL),
    ('file:failed',      '{error,stage}',                  'string',  false, NULL, NULL, NULL, '{extraction,chunking,embedding,storing}'),
    ('file:failed',      '{error,retryable}',              'boolean', true,  NULL, NULL, NULL, NULL),
    ('file:failed',      '{error,next_attempt_at}',        'time',    false, NULL, NULL, NULL, NULL),
    ('file:failed',      '{success}',                      'boolean', false, NULL, NULL, NULL, '{false}'),
    ('file:skipped',     '{file,skipped_at}',              'time',    true,  NULL, NULL, NULL, NULL),
    ('file:skipped',     '{reason,code}',                  'string',  true,  NULL, NULL, '^[a-z][a-z0-9_]{0,63}$', NULL),
    ('file:skipped',     '{reason,message}',               'string',  true,  NULL, 4000, NULL, NULL),
    ('file:deleted',     '{file,deleted_at}',              'time',    true,  NULL, NULL, NULL, NULL),
    ('file:deleted',     '{reason}',                       'string',  true,  NULL, NULL, NULL, '{removed,trashed,moved_out}'),
    ('status:update',    '{changes}',                      'object',  true,  NULL, NULL, NULL, NULL),
    ('status:update',    '{changes,problem}',              'problem', false, NULL, NULL, NULL, NULL);

INSERT INTO raglive.event_fields (type, path, kind, required, least, most, pattern)
SELECT type, path::text[], kind, required, least, most, pattern
FROM (SELECT DISTINCT type FROM raglive.event_fields) AS every
JOIN (VALUES
    ('%',                               '{id}',              'uuid',    false, NULL::integer, NULL::bigint, NULL),
    ('%',                               '{timestamp}',       'time',    false, NULL, NULL, NULL),
    ('%',                               '{pipeline_id}',     'string',  false, NULL, 127,  '^[A-Za-z0-9][A-Za-z0-9._:-]{0,126}$'),
    ('%',                               '{pipeline_type}',   'string',  false, NULL, 63,   '^[a-z][a-z0-9_]{0,62}$'),
    ('file:%',                          '{file,id}',         'string',  true,  1,    512,  NULL),
    ('file:%',                          '{file,name}',       'string',  true,  1,    1024, NULL),
    ('file:(processing|completed|failed|skipped)', '{file,size}',      'integer', false, 0, 9007199254740991, NULL),
    ('file:(processing|completed|failed|skipped)', '{file,mime_type}', 'string', false, NULL, 255, NULL),
    ('file:(processing|completed|failed|skipped)', '{file,folder}',    'string', false, NULL, 4096, NULL),
    ('file:(processing|completed|failed|skipped)', '{file,url}',       'string', false, NULL, 8192, NULL),
    ('file:(completed|failed|skipped)', '{file,started_at}', 'time',    false, NULL, NULL, NULL),
    ('file:(completed|failed|skipped)', '{stages}',          'stages',  false, NULL, 16,   NULL),
    ('file:(processing|completed|failed)', '{attempt}',      'integer', true,  1,    2147483647, NULL),
    ('file:skipped',                    '{attempt}',         'integer', false, 1,    2147483647, NULL)
) AS common (types, path, kind, required, least, most, pattern) ON type SIMILAR TO types;

CREATE FUNCTION raglive.is_time(value jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE
RETURN jsonb_typeof(value) = 'string'
   AND value #>> '{}' ~ '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$';

CREATE FUNCTION raglive.are_stages(value jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE
RETURN NOT EXISTS (
    SELECT FROM jsonb_array_elements(value) AS one (stage)
    WHERE CASE WHEN jsonb_typeof(stage) = 'object' AND jsonb_typeof(stage -> 'duration') = 'number' THEN
        (stage ->> 'duration')::numeric < 0
        OR coalesce(stage ->> 'stage', '') NOT IN ('extraction', 'chunking', 'embedding', 'storing')
        OR stage - '{stage,duration}'::text[] <> '{}'
    ELSE true END);

CREATE FUNCTION raglive.is_kind(field raglive.event_fields, value jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE
RETURN CASE field.kind
    WHEN 'string' THEN
        jsonb_typeof(value) = 'string'
        AND (field.least IS NULL OR char_length(value #>> '{}') >= field.least)
        AND (field.most IS NULL OR char_length(value #>> '{}') <= field.most)
        AND (field.pattern IS NULL OR value #>> '{}' ~ field.pattern)
        AND (field.one_of IS NULL OR value #>> '{}' = ANY (field.one_of))
    WHEN 'uuid' THEN
        jsonb_typeof(value) = 'string' AND value #>> '{}' ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'
    WHEN 'time' THEN raglive.is_time(value)
    WHEN 'integer' THEN
        jsonb_typeof(value) = 'number' AND value #>> '{}' ~ '^-?\d+$'
        AND (value #>> '{}')::numeric BETWEEN field.least AND field.most
    WHEN 'number' THEN jsonb_typeof(value) = 'number' AND (value #>> '{}')::numeric >= field.least
    WHEN 'boolean' THEN
        jsonb_typeof(value) = 'boolean' AND (field.one_of IS NULL OR value #>> '{}' = ANY (field.one_of))
    WHEN 'stages' THEN
        jsonb_typeof(value) = 'array' AND jsonb_array_length(value) <= field.most
        AND raglive.are_stages(value)
    WHEN 'problem' THEN
        jsonb_typeof(value) = 'object'
        AND jsonb_typeof(value -> 'code') = 'string' AND jsonb_typeof(value -> 'message') = 'string'
        AND raglive.is_time(value -> 'since') AND value - '{code,message,since}'::text[] = '{}'
    ELSE jsonb_typeof(value) = field.kind
END;

CREATE FUNCTION raglive.expected(field raglive.event_fields) RETURNS text LANGUAGE sql IMMUTABLE
RETURN CASE
    WHEN field.one_of IS NOT NULL THEN array_to_string(field.one_of, ' or ')
    WHEN field.pattern IS NOT NULL THEN 'a string like ' || field.pattern
    WHEN field.kind = 'time' THEN 'a time like 2026-01-02T03:04:05.678Z'
    WHEN field.kind = 'stages' THEN format('an array of at most %s {stage, duration}', field.most)
    WHEN field.kind = 'problem' THEN 'null or {code, message, since}'
    WHEN field.kind = 'string' AND field.most IS NOT NULL THEN
        format('a string of %s to %s characters', coalesce(field.least, 0), field.most)
    WHEN field.most IS NOT NULL THEN format('an %s from %s to %s', field.kind, field.least, field.most)
    WHEN field.least IS NOT NULL THEN format('a %s from %s', field.kind, field.least)
    WHEN field.kind = 'object' THEN 'an object'
    ELSE 'a ' || field.kind
END;

CREATE FUNCTION raglive.event_fault(event jsonb) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
    kind_of_event text := event ->> 'type';
    fault text;
BEGIN
    IF NOT EXISTS (SELECT FROM raglive.event_fields WHERE type = kind_of_event) THEN
        RETURN format('%s is not a durable event type', coalesce(quote_literal(kind_of_event), 'nothing'));
    END IF;
    SELECT format('%s must be %s', array_to_string(path, '.'), raglive.expected(field)) INTO fault
    FROM raglive.event_fields AS field
    WHERE type = kind_of_event
      AND CASE WHEN coalesce(jsonb_typeof(event #> path), 'null') = 'null' THEN required
               ELSE raglive.is_kind(field, event #> path) IS NOT TRUE END
    LIMIT 1;
    IF fault IS NULL THEN
        SELECT format('%s is not a field of it', array_to_string(path, '.')) INTO fault
        FROM (
            SELECT ARRAY[name] AS path FROM jsonb_object_keys(event - 'type') AS name
            UNION ALL
            SELECT ARRAY[part, name]
            FROM unnest('{file,results,error,reason}'::text[]) AS part,
                 jsonb_object_keys(CASE jsonb_typeof(event -> part) WHEN 'object' THEN event -> part ELSE '{}' END) AS name
        ) AS given
        WHERE NOT EXISTS (
            SELECT FROM raglive.event_fields AS field
            WHERE type = kind_of_event
              AND CASE cardinality(given.path) WHEN 1 THEN field.path[1] = given.path[1] ELSE field.path = given.path END)
        LIMIT 1;
    END IF;
    RETURN kind_of_event || ': ' || fault;
END $$;

-- The event as it is kept: what says nothing left out, what is always the same filled in, times in UTC.
CREATE FUNCTION raglive.normal_event(event jsonb) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    changes jsonb := event -> 'changes';
    field raglive.event_fields;
BEGIN
    event := jsonb_build_object('id', raglive.uuid7()) || jsonb_strip_nulls(event - 'changes');
    IF changes IS NOT NULL THEN
        event := event || jsonb_build_object('changes', changes);
    END IF;
    FOR field IN SELECT * FROM raglive.event_fields
                 WHERE type = event ->> 'type' AND (kind = 'time' OR cardinality(one_of) = 1)
    LOOP
        IF field.kind <> 'time' THEN
            event := event || jsonb_build_object(
                field.path[1],
                CASE field.kind WHEN 'boolean' THEN to_jsonb(field.one_of[1]::boolean) ELSE to_jsonb(field.one_of[1]) END);
        ELSIF event #> field.path IS NOT NULL THEN
            event := jsonb_set(event, field.path, to_jsonb(raglive.rfc3339((event #>> field.path)::timestamptz)));
        END IF;
    END LOOP;
    RETURN event;
END $$;

-- The pipeline's key; made with its head when the pipeline is new.
CREATE FUNCTION raglive.pipeline_key(p_id text, p_type text DEFAULT NULL) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    key integer;
    known text;
BEGIN
    SELECT pipeline_key, pipeline_type INTO key, known FROM raglive.pipelines WHERE pipeline_id = p_id;
    IF key IS NULL THEN
        IF p_id IS NULL THEN
            RAISE EXCEPTION 'no pipeline is named' USING ERRCODE = 'invalid_parameter_value';
        ELSIF p_type IS NULL THEN
            RAISE EXCEPTION 'pipeline % is unknown: name its pipeline_type to create it', quote_literal(p_id)
                USING ERRCODE = 'invalid_parameter_value';
        ELSIF p_id !~ '^[A-Za-z0-9][A-Za-z0-9._:-]{0,126}$' OR p_type !~ '^[a-z][a-z0-9_]{0,62}$' THEN
            RAISE EXCEPTION 'pipeline % of type % cannot be: an id is of letters, digits and . _ : -, a type of a-z, 0-9 and _',
                quote_literal(p_id), quote_literal(p_type)
                USING ERRCODE = 'invalid_parameter_value';
        END IF;
        INSERT INTO raglive.pipelines (pipeline_id, pipeline_type) VALUES (p_id, p_type) ON CONFLICT DO NOTHING;
        SELECT pipeline_key, pipeline_type INTO STRICT key, known FROM raglive.pipelines WHERE pipeline_id = p_id;
        INSERT INTO raglive.heads (pipeline_key, epoch) VALUES (key, raglive.new_epoch()) ON CONFLICT DO NOTHING;
    END IF;
    IF known <> coalesce(p_type, known) THEN
        RAISE EXCEPTION 'pipeline % is of type %, not %', quote_literal(p_id), known, p_type
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN key;
END $$;

-- Bring the files to what the last event of each says; an attempt overtaken by a later one says nothing.
CREATE FUNCTION raglive.project_files(key integer, events jsonb[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    WITH said AS (
        SELECT DISTINCT ON (event #>> '{file,id}')
               event #>> '{file,id}' AS file_id,
               event ->> 'type' AS type,
               event -> 'file' AS file,
               (event ->> 'attempt')::integer AS attempt,
               event
        FROM unnest(events) WITH ORDINALITY AS given (event, place)
        WHERE event ->> 'type' LIKE 'file:%'
        ORDER BY event #>> '{file,id}', place DESC
    ), outcome AS (
        SELECT said.*,
               CASE type WHEN 'file:processing' THEN 'processing'
                         WHEN 'file:completed' THEN 'completed'
                         WHEN 'file:skipped' THEN 'skipped'
                         WHEN 'file:deleted' THEN 'deleted'
                         WHEN 'file:failed' THEN
                             CASE WHEN event #>> '{error,next_attempt_at}' IS NULL THEN 'failed' ELSE 'queued' END
               END AS state,
               coalesce(file ->> 'completed_at', file ->> 'failed_at', file ->> 'skipped_at',
                        file ->> 'deleted_at')::timestamptz AS finished_at
        FROM said
    )
    INSERT INTO raglive.files AS known (
        pipeline_key, file_id, name, folder, url, mime_type, size_bytes, state, attempt,
        stage, progress, started_at, finished_at, results, error, reason, next_attempt_at)
    SELECT key, file_id, file ->> 'name', coalesce(file ->> 'folder', ''), file ->> 'url', file ->> 'mime_type',
           (file ->> 'size')::bigint, state, coalesce(attempt, 0),
           event ->> 'processing_stage',
           CASE WHEN state = 'processing' THEN 0 END,
           (file ->> 'started_at')::timestamptz, finished_at,
           event -> 'results', event -> 'error',
           CASE WHEN jsonb_typeof(event -> 'reason') = 'object' THEN event -> 'reason' END,
           (event #>> '{error,next_attempt_at}')::timestamptz
    FROM outcome
    ORDER BY file_id
    ON CONFLICT (pipeline_key, file_id) DO UPDATE SET
        name = excluded.name,
        folder = CASE WHEN excluded.folder = '' THEN known.folder ELSE excluded.folder END,
        url = coalesce(excluded.url, known.url),
        mime_type = coalesce(excluded.mime_type, known.mime_type),
        size_bytes = coalesce(excluded.size_bytes, known.size_bytes),
        -- a version newer than the one just finished is still to be done
        state = CASE
            WHEN excluded.state IN ('completed', 'failed', 'skipped')
                 AND known.leased_generation < known.desired_generation THEN 'queued'
            ELSE excluded.state END,
        next_attempt_at = CASE
            WHEN excluded.state IN ('completed', 'failed', 'skipped', 'queued')
                 AND known.leased_generation < known.desired_generation THEN clock_timestamp()
            ELSE excluded.next_attempt_at END,
        done_generation = CASE
            WHEN excluded.state IN ('completed', 'failed', 'skipped')
            THEN coalesce(known.leased_generation, known.done_generation)
            ELSE known.done_generation END,
        attempt = greatest(excluded.attempt, known.attempt),
        tries = CASE WHEN excluded.state IN ('completed', 'failed', 'skipped', 'deleted') THEN 0 ELSE known.tries END,
        stage = excluded.stage,
        progress = excluded.progress,
        started_at = coalesce(excluded.started_at, known.started_at),
        finished_at = excluded.finished_at,
        results = CASE WHEN excluded.state IN ('completed', 'deleted') THEN excluded.results ELSE known.results END,
        error = excluded.error,
        reason = excluded.reason,
        lease_owner = CASE WHEN excluded.state = 'processing' THEN known.lease_owner END,
        lease_until = CASE WHEN excluded.state = 'processing' THEN known.lease_until END,
        leased_generation = CASE WHEN excluded.state = 'processing' THEN known.leased_generation END,
        updated_at = clock_timestamp()
    WHERE excluded.attempt = 0 OR excluded.attempt >= known.attempt;

    INSERT INTO raglive.attempts AS made (file_key, attempt, worker, started_at, finished_at, outcome, stages, error)
    SELECT file.file_key, said.attempt, max(file.lease_owner),
           coalesce(min(said.started_at), min(said.finished_at)), max(said.finished_at),
           coalesce(max(said.outcome), 'running'),
           coalesce((array_agg(said.stages) FILTER (WHERE said.stages IS NOT NULL))[1], '[]'),
           (array_agg(said.error) FILTER (WHERE said.error IS NOT NULL))[1]
    FROM (
        SELECT event #>> '{file,id}' AS file_id,
               (event ->> 'attempt')::integer AS attempt,
               (event #>> '{file,started_at}')::timestamptz AS started_at,
               coalesce(event #>> '{file,completed_at}', event #>> '{file,failed_at}',
                        event #>> '{file,skipped_at}')::timestamptz AS finished_at,
               CASE event ->> 'type' WHEN 'file:completed' THEN 'completed' WHEN 'file:failed' THEN 'failed'
                                     WHEN 'file:skipped' THEN 'skipped' END AS outcome,
               event -> 'stages' AS stages,
               event -> 'error' AS error
        FROM unnest(events) AS given (event)
        WHERE event ->> 'type' LIKE 'file:%' AND event ? 'attempt'
    ) AS said
    -- OFFSET 0: one by one and by the whole key, whatever a plan made for a still empty table would do
    CROSS JOIN LATERAL (
        SELECT file_key, lease_owner FROM raglive.files
        WHERE pipeline_key = key AND file_id = said.file_id OFFSET 0
    ) AS file
    GROUP BY file.file_key, said.attempt
    ORDER BY file.file_key, said.attempt
    ON CONFLICT (file_key, attempt) DO UPDATE SET
        finished_at = coalesce(excluded.finished_at, made.finished_at),
        outcome = CASE WHEN excluded.finished_at IS NULL THEN made.outcome ELSE excluded.outcome END,
        stages = CASE WHEN excluded.finished_at IS NULL THEN made.stages ELSE excluded.stages END,
        error = coalesce(excluded.error, made.error);

    -- an attempt that another one, or the file's end, has overtaken
    UPDATE raglive.attempts AS made
    SET outcome = CASE file.state WHEN 'deleted' THEN 'cancelled' ELSE 'lost' END, finished_at = clock_timestamp()
    FROM (
        SELECT DISTINCT event #>> '{file,id}' AS file_id FROM unnest(events) AS given (event)
        WHERE event ->> 'type' LIKE 'file:%'
    ) AS said
    CROSS JOIN LATERAL (
        SELECT file_key, state, attempt FROM raglive.files
        WHERE pipeline_key = key AND file_id = said.file_id OFFSET 0
    ) AS file
    WHERE made.file_key = file.file_key AND made.outcome = 'running'
      AND (file.state <> 'processing' OR made.attempt <> file.attempt);
END $$;

-- Publish checked events of one pipeline, in order. An id that was published before is left out.
-- The head is locked first: from here to the caller's commit, the pipeline's order is this transaction's.
CREATE FUNCTION raglive.append_events(key integer, events jsonb)
RETURNS TABLE (accepted integer, duplicates integer, cursor text, seq bigint, digest bytea)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    head raglive.heads;
    fresh jsonb[];
    ids uuid[];
    digests bytea[] := '{}';
    given integer := jsonb_array_length(events);
    status jsonb;
BEGIN
    SELECT * INTO STRICT head FROM raglive.heads WHERE pipeline_key = key FOR UPDATE;
    SELECT array_agg(event ORDER BY place), array_agg(id ORDER BY place) INTO fresh, ids
    FROM (
        SELECT DISTINCT ON (event ->> 'id') event, (event ->> 'id')::uuid AS id, place
        FROM jsonb_array_elements(events) WITH ORDINALITY AS one (event, place)
        ORDER BY event ->> 'id', place
    ) AS submitted
    -- a scalar, as above: not a join that reads the whole log
    WHERE (SELECT known.id FROM raglive.events AS known WHERE known.pipeline_key = key AND known.id = submitted.id) IS NULL;

    accepted := coalesce(cardinality(fresh), 0);
    duplicates := given - accepted;
    IF accepted > 0 THEN
        PERFORM raglive.project_files(key, fresh);
        FOR i IN 1 .. accepted LOOP
            head.digest := raglive.roll_digest(head.digest, ids[i], head.seq + i);
            digests[i] := head.digest;
        END LOOP;
        PERFORM raglive.advance_head(key, fresh, head.digest);
        IF EXISTS (SELECT FROM unnest(fresh) AS one (event) WHERE event ->> 'type' = 'status:update') THEN
            status := raglive.pipeline_status(key);
        END IF;
        INSERT INTO raglive.events (pipeline_key, seq, id, type, file_id, occurred_at, payload, digest)
        SELECT key, head.seq + place, ids[place], event ->> 'type', event #>> '{file,id}',
               coalesce((event ->> 'timestamp')::timestamptz, clock_timestamp()),
               event - '{id,type,pipeline_id,pipeline_type,timestamp,seq,cursor}'::text[]
               || CASE WHEN event ->> 'type' = 'status:update'
                       THEN jsonb_build_object('current_status', status) ELSE '{}' END,
               digests[place]
        FROM unnest(fresh) WITH ORDINALITY AS one (event, place);
        PERFORM pg_notify('raglive_head', key || ':' || head.seq + accepted);
    END IF;
    seq := head.seq + accepted;
    digest := head.digest;
    cursor := raglive.cursor(head.epoch, seq);
    RETURN NEXT;
END $$;

CREATE FUNCTION raglive.advance_head(key integer, events jsonb[], new_digest bytea) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    started jsonb;
    stopped boolean;
    updated jsonb;
BEGIN
    SELECT event INTO started FROM unnest(events) WITH ORDINALITY AS one (event, place)
    WHERE event ->> 'type' = 'pipeline:online' ORDER BY place DESC LIMIT 1;
    SELECT event ->> 'type' = 'pipeline:offline' INTO stopped
    FROM unnest(events) WITH ORDINALITY AS one (event, place)
    WHERE event ->> 'type' LIKE 'pipeline:%' ORDER BY place DESC LIMIT 1;
    SELECT event -> 'changes' INTO updated FROM unnest(events) WITH ORDINALITY AS one (event, place)
    WHERE event ->> 'type' = 'status:update' AND event -> 'changes' ? 'problem' ORDER BY place DESC LIMIT 1;

    UPDATE raglive.heads SET
        seq = seq + cardinality(events),
        digest = new_digest,
        last_activity = clock_timestamp(),
        total_processed = total_processed
            + (SELECT count(*) FROM unnest(events) AS one (event) WHERE event ->> 'type' = 'file:completed'),
        total_failed = total_failed
            + (SELECT count(*) FROM unnest(events) AS one (event)
               WHERE event ->> 'type' = 'file:failed' AND event #>> '{error,next_attempt_at}' IS NULL),
        status = CASE WHEN stopped IS NULL THEN status WHEN stopped THEN 'offline' ELSE 'online' END,
        started_at = coalesce((started ->> 'started_at')::timestamptz, started_at),
        check_interval = coalesce((started ->> 'check_interval')::double precision, check_interval),
        watch_location = coalesce(started ->> 'watch_location', watch_location),
        problem = CASE WHEN updated IS NULL THEN problem
                       WHEN jsonb_typeof(updated -> 'problem') = 'object' THEN updated -> 'problem' END
    WHERE pipeline_key = key;
    IF started IS NOT NULL THEN
        UPDATE raglive.pipelines SET last_heartbeat = clock_timestamp() WHERE pipeline_key = key;
    END IF;
END $$;

-- For anything that speaks SQL: publish events in your own transaction.
CREATE FUNCTION raglive.publish_batch(pipeline_id text, events jsonb, pipeline_type text DEFAULT NULL)
RETURNS TABLE (accepted integer, duplicates integer, cursor text)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    fault text;
    key integer;
BEGIN
    SELECT found INTO fault
    FROM jsonb_array_elements(events) AS one (event)
    CROSS JOIN LATERAL (SELECT coalesce(
        raglive.event_fault(event),
        CASE WHEN event ->> 'pipeline_id' <> pipeline_id THEN 'it is of another pipeline than the one published to' END
    ) AS found) AS checked
    WHERE found IS NOT NULL LIMIT 1;
    IF fault IS NOT NULL THEN
        RAISE EXCEPTION 'the event breaks the contract: %', fault USING ERRCODE = 'invalid_parameter_value';
    END IF;
    key := raglive.pipeline_key(pipeline_id, pipeline_type);
    RETURN QUERY SELECT done.accepted, done.duplicates, done.cursor FROM raglive.append_events(key, (
        SELECT coalesce(jsonb_agg(raglive.normal_event(event) ORDER BY place), '[]')
        FROM jsonb_array_elements(events) WITH ORDINALITY AS one (event, place))) AS done;
END $$;

-- The same for one event; returns the cursor after it.
CREATE FUNCTION raglive.publish(
    pipeline_id text, type text, fields jsonb, id uuid DEFAULT NULL, pipeline_type text DEFAULT NULL
) RETURNS text LANGUAGE sql
RETURN (
    SELECT done.cursor FROM raglive.publish_batch(
        pipeline_id,
        jsonb_build_array(fields || jsonb_build_object('type', type, 'id', coalesce(id, raglive.uuid7()))),
        pipeline_type) AS done);
