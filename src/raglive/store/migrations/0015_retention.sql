-- Retention: events expire, and with them what only they report.

-- Removes the oldest events of a pipeline that were appended before a time, at most `most`. Returns how many there were.
-- It deletes the attempts that these events report and that a later attempt has followed, and the rows of deleted files
-- that no other event names. It locks the start of the log, never the head or a row that somebody else has locked.
CREATE FUNCTION raglive.remove_events(key integer, before timestamptz, most integer) RETURNS integer LANGUAGE plpgsql AS $$
DECLARE
    last_seq bigint;
    last_digest bytea;
    removed record;
BEGIN
    SELECT seq INTO last_seq FROM raglive.log_starts WHERE pipeline_key = key FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN -- another process removes events of this pipeline
        RETURN 0;
    END IF;
    SELECT seq, digest INTO last_seq, last_digest
    FROM (
        SELECT seq, digest, appended_at FROM raglive.events
        WHERE pipeline_key = key AND seq > last_seq ORDER BY seq LIMIT most
    ) AS oldest
    WHERE appended_at < before ORDER BY seq DESC LIMIT 1;
    IF NOT FOUND THEN
        RETURN 0;
    END IF;

    WITH gone AS (
        DELETE FROM raglive.events WHERE pipeline_key = key AND seq <= last_seq RETURNING type, file_id, payload
    )
    SELECT count(*) AS events,
           count(*) FILTER (WHERE type = 'file:completed') AS completed,
           count(*) FILTER (WHERE type = 'file:failed' AND payload #>> '{error,next_attempt_at}' IS NULL) AS failed,
           array_agg(file_id) FILTER (WHERE file_id IS NOT NULL) AS file_ids,
           array_agg((payload ->> 'attempt')::integer) FILTER (WHERE file_id IS NOT NULL) AS attempts
    INTO removed FROM gone;
    UPDATE raglive.log_starts
    SET seq = last_seq, digest = last_digest,
        total_processed = total_processed + removed.completed, total_failed = total_failed + removed.failed
    WHERE pipeline_key = key;

    DELETE FROM raglive.attempts AS made
    USING (
        SELECT file_id, max(attempt) AS attempt FROM unnest(removed.file_ids, removed.attempts) AS reported (file_id, attempt)
        GROUP BY file_id
    ) AS reported
    CROSS JOIN LATERAL (
        SELECT file_key, attempt, tries FROM raglive.files
        WHERE pipeline_key = key AND file_id = reported.file_id OFFSET 0
    ) AS file
    WHERE made.file_key = file.file_key AND made.attempt <= reported.attempt
      AND made.attempt < file.attempt AND made.attempt <= file.attempt - file.tries AND made.outcome <> 'running';

    WITH deleted AS MATERIALIZED (
        SELECT file_key FROM raglive.files
        WHERE pipeline_key = key AND file_id = ANY (removed.file_ids) AND state = 'deleted'
          AND NOT EXISTS (SELECT FROM raglive.events AS named
                          WHERE named.pipeline_key = key AND named.file_id = files.file_id)
        ORDER BY file_key
        FOR UPDATE SKIP LOCKED
    )
    DELETE FROM raglive.files USING deleted WHERE files.file_key = deleted.file_key;
    RETURN removed.events;
END $$;

-- Adds what a deleted file cost to the usage without a file.
CREATE FUNCTION raglive.forget_usage() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    WITH spent AS (
        DELETE FROM raglive.embedding_usage WHERE file_key IN (SELECT file_key FROM departed) RETURNING *
    )
    INSERT INTO raglive.embedding_usage AS known (pipeline_key, day, file_key, model, texts, tokens, cost)
    SELECT pipeline_key, day, 0, model, sum(texts), sum(tokens), sum(cost) FROM spent
    WHERE pipeline_key IN (SELECT pipeline_key FROM raglive.pipelines) -- else it is deleted too
    GROUP BY pipeline_key, day, model ORDER BY pipeline_key, day, model
    ON CONFLICT (pipeline_key, day, file_key, model) DO UPDATE
    SET texts = known.texts + excluded.texts, tokens = known.tokens + excluded.tokens, cost = known.cost + excluded.cost;
    RETURN NULL;
END $$;
CREATE TRIGGER forget_usage AFTER DELETE ON raglive.files
REFERENCING OLD TABLE AS departed FOR EACH STATEMENT EXECUTE FUNCTION raglive.forget_usage();

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA raglive FROM PUBLIC;
