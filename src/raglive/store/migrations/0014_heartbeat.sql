-- Heartbeats and progress from SQL. Both are conflated: sent to the servers that listen, and never stored in the log.

-- Return why a conflated event breaks the contract, or NULL; the same rules as raglive_contract/events.py.
CREATE FUNCTION raglive.conflated_event_fault(event jsonb) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE
    kind_of_event text := event ->> 'type';
    rules raglive.event_fields[];
    fault text;
BEGIN
    SELECT array_agg(ROW(kind_of_event, path::text[], kind, required, least, most, pattern, one_of::text[])::raglive.event_fields)
    INTO rules
    FROM (VALUES
        ('heartbeat|file:progress', '{id}',               'uuid',    false, NULL, NULL, NULL, NULL),
        ('heartbeat|file:progress', '{timestamp}',        'time',    false, NULL, NULL, NULL, NULL),
        ('heartbeat|file:progress', '{pipeline_id}',      'string',  false, NULL, 127,  '^[A-Za-z0-9][A-Za-z0-9._:-]{0,126}$', NULL),
        ('heartbeat|file:progress', '{pipeline_type}',    'string',  false, NULL, 63,   '^[a-z][a-z0-9_]{0,62}$', NULL),
        ('heartbeat',               '{status}',           'string',  false, NULL, NULL, NULL, '{alive}'),
        ('heartbeat',               '{uptime}',           'number',  true,  0,    NULL, NULL, NULL),
        ('heartbeat',               '{memory_usage}',     'integer', true,  0, 9007199254740991, NULL, NULL),
        ('heartbeat',               '{active_files}',     'integer', true,  0, 9007199254740991, NULL, NULL),
        ('file:progress',           '{file,id}',          'string',  true,  1,    512,  NULL, NULL),
        ('file:progress',           '{file,name}',        'string',  true,  1,    1024, NULL, NULL),
        ('file:progress',           '{processing_stage}', 'string',  true,  NULL, NULL, NULL, '{extraction,chunking,embedding,storing}'),
        ('file:progress',           '{progress}',         'number',  true,  0,    NULL, NULL, NULL),
        ('file:progress',           '{attempt}',          'integer', true,  1,    2147483647, NULL, NULL)
    ) AS rule (types, path, kind, required, least, most, pattern, one_of)
    WHERE kind_of_event = ANY (string_to_array(types, '|'));
    IF rules IS NULL THEN
        RETURN format('%s is not a conflated event type', coalesce(quote_literal(kind_of_event), 'nothing'));
    END IF;
    SELECT format('%s must be %s', array_to_string(rule.path, '.'), raglive.expected(rule)) INTO fault
    FROM unnest(rules) AS rule
    WHERE CASE WHEN coalesce(jsonb_typeof(event #> rule.path), 'null') = 'null' THEN rule.required
               ELSE raglive.is_kind(rule, event #> rule.path) IS NOT TRUE END
    LIMIT 1;
    IF fault IS NULL AND (event -> 'progress')::numeric > 1 THEN
        fault := 'progress must be a number from 0 to 1';
    END IF;
    IF fault IS NULL THEN
        SELECT format('%s is not a field of it', name) INTO fault
        FROM (
            SELECT jsonb_object_keys(event - 'type') AS name
            UNION ALL
            SELECT 'file.' || jsonb_object_keys(event -> 'file') WHERE kind_of_event = 'file:progress'
        ) AS given
        WHERE NOT EXISTS (
            SELECT FROM unnest(rules) AS rule
            WHERE array_to_string(rule.path, '.') = name OR (rule.path[1] = name AND cardinality(rule.path) > 1))
        LIMIT 1;
    END IF;
    RETURN kind_of_event || ': ' || fault;
END $$;

-- Return a conflated event as the servers expect it: envelope complete, times in UTC, the head in a heartbeat.
CREATE FUNCTION raglive.conflated_event(event jsonb, key integer) RETURNS jsonb LANGUAGE sql
RETURN (
    SELECT jsonb_build_object('id', raglive.uuid7())
        || jsonb_strip_nulls(event)
        || jsonb_build_object(
            'pipeline_id', pipeline.pipeline_id,
            'pipeline_type', pipeline.pipeline_type,
            'timestamp', raglive.rfc3339(coalesce((event ->> 'timestamp')::timestamptz, clock_timestamp())))
        || CASE WHEN event ->> 'type' = 'heartbeat' THEN jsonb_build_object(
            'status', 'alive', 'is_checking', false, 'head_seq', head.seq, 'digest', encode(head.digest, 'hex'))
           ELSE '{}' END
    FROM raglive.pipelines AS pipeline JOIN raglive.heads AS head USING (pipeline_key)
    WHERE pipeline.pipeline_key = key);

-- Send conflated events of one pipeline to the servers that listen, and store when its last heartbeat came. Returns how
-- many were sent: an event too large for a notification (8,000 bytes) is left out.
CREATE FUNCTION raglive.show(pipeline_id text, events jsonb, pipeline_type text DEFAULT NULL) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    max_bytes CONSTANT integer := 7900;
    fault text;
    key integer;
    live text;
    packed text := '';
    sent integer := 0;
BEGIN
    SELECT checked.reason INTO fault
    FROM jsonb_array_elements(events) AS one (event)
    CROSS JOIN LATERAL (SELECT coalesce(
        raglive.conflated_event_fault(one.event),
        CASE WHEN one.event ->> 'pipeline_id' <> show.pipeline_id
             THEN 'the event names a pipeline other than the one it is shown for' END
    ) AS reason) AS checked
    WHERE checked.reason IS NOT NULL LIMIT 1;
    IF fault IS NOT NULL THEN
        RAISE EXCEPTION 'the event breaks the contract: %', fault USING ERRCODE = 'invalid_parameter_value';
    END IF;
    key := raglive.external_pipeline_key(show.pipeline_id, show.pipeline_type);
    UPDATE raglive.pipelines AS pipeline
    SET last_heartbeat = clock_timestamp(),
        uptime = (beat.event ->> 'uptime')::double precision,
        memory_usage = (beat.event ->> 'memory_usage')::bigint
    FROM (
        SELECT one.event FROM jsonb_array_elements(events) WITH ORDINALITY AS one (event, place)
        WHERE one.event ->> 'type' = 'heartbeat' ORDER BY place DESC LIMIT 1
    ) AS beat
    WHERE pipeline.pipeline_key = key;
    IF FOUND THEN
        UPDATE raglive.heads SET status = 'online', offline_reason = NULL WHERE pipeline_key = key AND status = 'offline';
    END IF;
    FOR live IN
        SELECT raglive.conflated_event(one.event, key)::text
        FROM jsonb_array_elements(events) WITH ORDINALITY AS one (event, place) ORDER BY place
    LOOP
        CONTINUE WHEN octet_length(live) + 2 > max_bytes;
        IF packed <> '' AND octet_length(packed) + octet_length(live) + 3 > max_bytes THEN
            PERFORM pg_notify('raglive_live', '[' || packed || ']');
            packed := '';
        END IF;
        packed := concat_ws(',', nullif(packed, ''), live);
        sent := sent + 1;
    END LOOP;
    IF packed <> '' THEN
        PERFORM pg_notify('raglive_live', '[' || packed || ']');
    END IF;
    RETURN sent;
END $$;

-- Report that a pipeline is alive: uptime in seconds, memory in bytes, and the number of files in progress.
CREATE FUNCTION raglive.heartbeat(
    pipeline_id text, uptime double precision, memory_usage bigint, active_files bigint, pipeline_type text DEFAULT NULL
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM raglive.show(
        heartbeat.pipeline_id,
        jsonb_build_array(jsonb_build_object(
            'type', 'heartbeat',
            'uptime', heartbeat.uptime,
            'memory_usage', heartbeat.memory_usage,
            'active_files', heartbeat.active_files)),
        heartbeat.pipeline_type);
END $$;

REVOKE ALL ON FUNCTION raglive.conflated_event_fault(jsonb), raglive.conflated_event(jsonb, integer),
    raglive.show(text, jsonb, text), raglive.heartbeat(text, double precision, bigint, bigint, text) FROM PUBLIC;
