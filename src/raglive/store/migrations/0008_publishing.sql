-- Publishing: appends events to the log and applies them to the files, in the caller's transaction.

-- Returns a pipeline's key; creates the pipeline with its head if its type is given.
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
            RAISE EXCEPTION 'pipeline % of type % is invalid: an id consists of letters, digits and . _ : -, a type of a-z, 0-9 and _',
                quote_literal(p_id), quote_literal(p_type)
                USING ERRCODE = 'invalid_parameter_value';
        END IF;
        INSERT INTO raglive.pipelines (pipeline_id, pipeline_type) VALUES (p_id, p_type) ON CONFLICT DO NOTHING;
        SELECT pipeline_key, pipeline_type INTO STRICT key, known FROM raglive.pipelines WHERE pipeline_id = p_id;
        INSERT INTO raglive.heads (pipeline_key, epoch) VALUES (key, raglive.new_epoch()) ON CONFLICT DO NOTHING;
        INSERT INTO raglive.log_starts (pipeline_key) VALUES (key) ON CONFLICT DO NOTHING;
    END IF;
    IF (SELECT is_removing FROM raglive.pipelines WHERE pipeline_key = key) THEN
        RAISE EXCEPTION 'pipeline % is being removed: try again when it is gone', quote_literal(p_id) USING ERRCODE = 'object_in_use';
    END IF;
    IF known <> coalesce(p_type, known) THEN
        RAISE EXCEPTION 'pipeline % is of type %, not %', quote_literal(p_id), known, p_type
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN key;
END $$;

-- Returns the key of a pipeline that producers other than raglive publish to. Refuses one that raglive runs: the states
-- of its files agree with the index only as long as no one else changes them.
CREATE FUNCTION raglive.external_pipeline_key(p_id text, p_type text DEFAULT NULL) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    key integer := raglive.pipeline_key(p_id, p_type);
BEGIN
    IF (SELECT is_managed FROM raglive.pipelines WHERE pipeline_key = key) THEN
        RAISE EXCEPTION 'raglive itself runs the pipeline %: publish under another pipeline_id', quote_literal(p_id)
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    RETURN key;
END $$;

-- Applies the last event of each file to its row and to its attempts. An event of an attempt that a later one has overtaken is ignored.
CREATE FUNCTION raglive.project_files(key integer, events jsonb[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    WITH latest AS (
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
        SELECT latest.*,
               CASE type WHEN 'file:processing' THEN 'processing'
                         WHEN 'file:completed' THEN 'completed'
                         WHEN 'file:skipped' THEN 'skipped'
                         WHEN 'file:deleted' THEN 'deleted'
                         WHEN 'file:failed' THEN
                             CASE WHEN event #>> '{error,next_attempt_at}' IS NULL THEN 'failed' ELSE 'queued' END
               END AS state,
               coalesce(file ->> 'completed_at', file ->> 'failed_at', file ->> 'skipped_at',
                        file ->> 'deleted_at')::timestamptz AS finished_at
        FROM latest
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
        -- a version newer than the finished one has still to be processed
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
    SELECT file.file_key, reported.attempt, max(file.lease_owner),
           coalesce(min(reported.started_at), min(reported.finished_at)), max(reported.finished_at),
           coalesce(max(reported.outcome), 'running'),
           coalesce((array_agg(reported.stages) FILTER (WHERE reported.stages IS NOT NULL))[1], '[]'),
           (array_agg(reported.error) FILTER (WHERE reported.error IS NOT NULL))[1]
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
    ) AS reported
    -- OFFSET 0 makes the planner look up each file by its whole key, even in a plan made while the table was empty
    CROSS JOIN LATERAL (
        SELECT file_key, lease_owner FROM raglive.files
        WHERE pipeline_key = key AND file_id = reported.file_id OFFSET 0
    ) AS file
    GROUP BY file.file_key, reported.attempt
    ORDER BY file.file_key, reported.attempt
    ON CONFLICT (file_key, attempt) DO UPDATE SET
        finished_at = coalesce(excluded.finished_at, made.finished_at),
        outcome = CASE WHEN excluded.finished_at IS NULL THEN made.outcome ELSE excluded.outcome END,
        stages = CASE WHEN excluded.finished_at IS NULL THEN made.stages ELSE excluded.stages END,
        error = coalesce(excluded.error, made.error);

    -- close attempts that a later attempt or the end of the file has overtaken
    UPDATE raglive.attempts AS made
    SET outcome = CASE file.state WHEN 'deleted' THEN 'cancelled' ELSE 'lost' END, finished_at = clock_timestamp()
    FROM (
        SELECT DISTINCT event #>> '{file,id}' AS file_id FROM unnest(events) AS given (event)
        WHERE event ->> 'type' LIKE 'file:%'
    ) AS reported
    CROSS JOIN LATERAL (
        SELECT file_key, state, attempt FROM raglive.files
        WHERE pipeline_key = key AND file_id = reported.file_id OFFSET 0
    ) AS file
    WHERE made.file_key = file.file_key AND made.outcome = 'running'
      AND (file.state <> 'processing' OR made.attempt <> file.attempt);
END $$;

-- Moves the head past appended events, and applies what they say about the pipeline.
CREATE FUNCTION raglive.advance_head(key integer, events jsonb[], new_digest bytea) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    started jsonb;
    last jsonb; -- event about the pipeline
    updated jsonb;
    -- an event of a file by a producer outside raglive says that its pipeline is alive
    is_alive CONSTANT boolean := (SELECT NOT is_managed FROM raglive.pipelines WHERE pipeline_key = key)
        AND EXISTS (SELECT FROM unnest(events) AS one (event) WHERE event ->> 'type' LIKE 'file:%');
    is_online boolean;
BEGIN
    SELECT event INTO started FROM unnest(events) WITH ORDINALITY AS one (event, place)
    WHERE event ->> 'type' = 'pipeline:online' ORDER BY place DESC LIMIT 1;
    SELECT event INTO last
    FROM unnest(events) WITH ORDINALITY AS one (event, place)
    WHERE event ->> 'type' LIKE 'pipeline:%' ORDER BY place DESC LIMIT 1;
    SELECT event -> 'changes' INTO updated FROM unnest(events) WITH ORDINALITY AS one (event, place)
    WHERE event ->> 'type' = 'status:update' AND event -> 'changes' ? 'problem' ORDER BY place DESC LIMIT 1;

    is_online := CASE WHEN last IS NULL THEN nullif(is_alive, false) ELSE last ->> 'type' = 'pipeline:online' END;

    UPDATE raglive.heads SET
        seq = seq + cardinality(events),
        digest = new_digest,
        last_activity = clock_timestamp(),
        total_processed = total_processed
            + (SELECT count(*) FROM unnest(events) AS one (event) WHERE event ->> 'type' = 'file:completed'),
        total_failed = total_failed
            + (SELECT count(*) FROM unnest(events) AS one (event)
               WHERE event ->> 'type' = 'file:failed' AND event #>> '{error,next_attempt_at}' IS NULL),
        status = CASE WHEN is_online IS NULL THEN status WHEN is_online THEN 'online' ELSE 'offline' END,
        offline_reason = CASE WHEN is_online IS NULL THEN offline_reason WHEN is_online THEN NULL ELSE last ->> 'reason' END,
        started_at = coalesce((started ->> 'started_at')::timestamptz, started_at),
        check_interval = coalesce((started ->> 'check_interval')::double precision, check_interval),
        watch_location = coalesce(started ->> 'watch_location', watch_location),
        problem = CASE WHEN updated IS NULL THEN problem
                       WHEN jsonb_typeof(updated -> 'problem') = 'object' THEN updated -> 'problem' END
    WHERE pipeline_key = key;
    IF started IS NOT NULL OR is_alive AND is_online THEN
        UPDATE raglive.pipelines SET last_heartbeat = clock_timestamp() WHERE pipeline_key = key;
    END IF;
END $$;

-- Appends validated events of one pipeline in order, and leaves out ids that were published before.
-- Locks the head first: from here to the caller's commit, no other transaction appends to this pipeline.
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
    -- a scalar subquery is one index look-up per event; a join may read the whole log
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

-- Publishes events for any program that speaks SQL, in its own transaction.
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
        CASE WHEN event ->> 'pipeline_id' <> pipeline_id THEN 'it belongs to another pipeline than the one published to' END
    ) AS found) AS checked
    WHERE found IS NOT NULL LIMIT 1;
    IF fault IS NOT NULL THEN
        RAISE EXCEPTION 'the event breaks the contract: %', fault USING ERRCODE = 'invalid_parameter_value';
    END IF;
    key := raglive.external_pipeline_key(pipeline_id, pipeline_type);
    RETURN QUERY SELECT done.accepted, done.duplicates, done.cursor FROM raglive.append_events(key, (
        SELECT coalesce(jsonb_agg(raglive.normal_event(event) ORDER BY place), '[]')
        FROM jsonb_array_elements(events) WITH ORDINALITY AS one (event, place))) AS done;
END $$;

-- Publishes one event; returns the cursor after it.
CREATE FUNCTION raglive.publish(
    pipeline_id text, type text, fields jsonb, id uuid DEFAULT NULL, pipeline_type text DEFAULT NULL
) RETURNS text LANGUAGE sql
RETURN (
    SELECT done.cursor FROM raglive.publish_batch(
        pipeline_id,
        jsonb_build_array(fields || jsonb_build_object('type', type, 'id', coalesce(id, raglive.uuid7()))),
        pipeline_type) AS done);

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA raglive FROM PUBLIC;
