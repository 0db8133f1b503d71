-- The fields of each durable event and their bounds: the rules of `raglive_contract.events`, tested against them.

CREATE TABLE raglive.event_fields (
    type     text NOT NULL,
    path     text[] NOT NULL,
    kind     text NOT NULL CHECK (kind IN (
                 'string', 'uuid', 'time', 'integer', 'number', 'boolean', 'object', 'stages', 'problem')),
    required boolean NOT NULL,
    least    numeric, -- the smallest number, or the length of the shortest text
    most     numeric,
    pattern  text,
    one_of   text[],
    PRIMARY KEY (type, path)
);
ALTER TABLE raglive.event_fields ENABLE ROW LEVEL SECURITY;
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

-- Returns what a field accepts, for error messages.
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

-- Returns why an event breaks the contract; null if it does not.
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

-- Returns an event as it is logged: without null fields, with constant fields filled in, and with times in UTC.
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

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA raglive FROM PUBLIC;
