-- How many files stand in each state: counted where states change, so that no writer can forget to.

CREATE FUNCTION raglive.count_files() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    step record;
BEGIN
    FOR step IN EXECUTE format(
        'SELECT pipeline_key,
                coalesce(sum(n) FILTER (WHERE state = ''queued''), 0) AS queued,
                coalesce(sum(n) FILTER (WHERE state = ''processing''), 0) AS processing,
                coalesce(sum(n) FILTER (WHERE state = ''completed''), 0) AS completed,
                coalesce(sum(n) FILTER (WHERE state = ''failed''), 0) AS failed,
                coalesce(sum(n) FILTER (WHERE state = ''skipped''), 0) AS skipped
         FROM (SELECT pipeline_key, state, sum(n) AS n FROM (%s) AS moved GROUP BY 1, 2) AS net
         WHERE n <> 0
         GROUP BY pipeline_key ORDER BY pipeline_key',
        CASE TG_OP
            WHEN 'INSERT' THEN 'SELECT pipeline_key, state, 1 AS n FROM arrived'
            WHEN 'DELETE' THEN 'SELECT pipeline_key, state, -1 AS n FROM departed'
            ELSE 'SELECT pipeline_key, state, 1 AS n FROM arrived
                  UNION ALL SELECT pipeline_key, state, -1 FROM departed'
        END)
    LOOP
        UPDATE raglive.heads
        SET queued     = queued + step.queued,
            processing = processing + step.processing,
            completed  = completed + step.completed,
            failed     = failed + step.failed,
            skipped    = skipped + step.skipped
        WHERE pipeline_key = step.pipeline_key;
    END LOOP;
    RETURN NULL;
END $$;

CREATE TRIGGER count_inserted AFTER INSERT ON raglive.files
REFERENCING NEW TABLE AS arrived FOR EACH STATEMENT EXECUTE FUNCTION raglive.count_files();
CREATE TRIGGER count_updated AFTER UPDATE ON raglive.files
REFERENCING OLD TABLE AS departed NEW TABLE AS arrived FOR EACH STATEMENT EXECUTE FUNCTION raglive.count_files();
CREATE TRIGGER count_deleted AFTER DELETE ON raglive.files
REFERENCING OLD TABLE AS departed FOR EACH STATEMENT EXECUTE FUNCTION raglive.count_files();

-- The snapshot `pipeline:status`. One statement reads all of it, so that it is true at its cursor.
CREATE FUNCTION raglive.pipeline_status(key integer) RETURNS jsonb LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT jsonb_build_object(
        'pipeline_id', pipeline.pipeline_id,
        'pipeline_type', pipeline.pipeline_type,
        'status', head.status,
        'files_processing', coalesce((
            SELECT jsonb_agg(entry ORDER BY entry ->> 'started_at', entry ->> 'id')
            FROM (
                SELECT jsonb_strip_nulls(jsonb_build_object(
                    'id', file_id, 'name', name, 'folder', folder, 'size', size_bytes, 'mime_type', mime_type,
                    'started_at', raglive.rfc3339(started_at), 'processing_stage', stage,
                    'progress', progress::numeric, 'attempt', attempt)) AS entry
                FROM raglive.files
                WHERE pipeline_key = key AND state = 'processing'
                ORDER BY started_at LIMIT 1000) AS processing), '[]'),
        'files_completed', coalesce((
            SELECT jsonb_agg(entry ORDER BY finished_at DESC)
            FROM (
                SELECT finished_at, jsonb_strip_nulls(jsonb_build_object(
                    'id', file_id, 'name', name, 'folder', folder, 'size', size_bytes, 'mime_type', mime_type,
                    'completed_at', raglive.rfc3339(finished_at), 'results', results, 'attempt', attempt)) AS entry
                FROM raglive.files
                WHERE pipeline_key = key AND state = 'completed'
                ORDER BY finished_at DESC LIMIT 10) AS completed), '[]'),
        'files_failed', coalesce((
            SELECT jsonb_agg(entry ORDER BY finished_at DESC)
            FROM (
                SELECT finished_at, jsonb_strip_nulls(jsonb_build_object(
                    'id', file_id, 'name', name, 'folder', folder, 'size', size_bytes, 'mime_type', mime_type,
                    'failed_at', raglive.rfc3339(finished_at), 'error', error, 'attempt', attempt)) AS entry
                FROM raglive.files
                WHERE pipeline_key = key AND state = 'failed'
                ORDER BY finished_at DESC LIMIT 5) AS failed), '[]'),
        'total_processed', head.total_processed,
        'total_failed', head.total_failed,
        'is_checking', pipeline.is_checking,
        'counts', jsonb_build_object(
            'queued', head.queued, 'processing', head.processing, 'completed', head.completed,
            'failed', head.failed, 'skipped', head.skipped),
        'cursor', raglive.cursor(head.epoch, head.seq),
        'digest', encode(head.digest, 'hex')
    ) || jsonb_strip_nulls(jsonb_build_object(
        'started_at', raglive.rfc3339(head.started_at),
        'watch_location', head.watch_location,
        'problem', head.problem,
        'check_interval', head.check_interval,
        'last_activity', raglive.rfc3339(head.last_activity),
        'last_heartbeat', raglive.rfc3339(pipeline.last_heartbeat),
        'last_check_time', raglive.rfc3339(pipeline.last_check_time),
        'next_check_time', raglive.rfc3339(pipeline.next_check_time),
        'seconds_until_next_check',
            CASE WHEN pipeline.next_check_time IS NOT NULL THEN
                round(greatest(0, extract(epoch FROM pipeline.next_check_time - clock_timestamp())), 3) END
    ))
    FROM raglive.pipelines AS pipeline JOIN raglive.heads AS head USING (pipeline_key)
    WHERE pipeline.pipeline_key = key;
END;
