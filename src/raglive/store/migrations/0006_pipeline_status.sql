-- The snapshot `pipeline:status`, and the state of a file as viewers see it.

-- Returns a file's state, where a queued file may be `waiting` for its next attempt, and a processing one `stuck` or `lost`.
CREATE FUNCTION raglive.standing(file raglive.files) RETURNS text LANGUAGE sql STABLE
RETURN CASE
    WHEN file.state = 'queued' AND file.next_attempt_at > clock_timestamp() THEN 'waiting'
    WHEN file.state <> 'processing' THEN file.state
    WHEN file.lease_until < clock_timestamp() THEN 'lost'
    WHEN file.stuck_at IS NOT NULL THEN 'stuck'
    ELSE 'processing'
END;

-- One statement reads the whole snapshot, so that it is true at its cursor.
CREATE FUNCTION raglive.pipeline_status(key integer) RETURNS jsonb LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT jsonb_build_object(
        'pipeline_id', pipeline.pipeline_id,
        'pipeline_type', pipeline.pipeline_type,
        'status', head.status,
        'managed', pipeline.is_managed,
        'files_processing', coalesce((
            SELECT jsonb_agg(entry ORDER BY entry ->> 'started_at', entry ->> 'id')
            FROM (
                SELECT jsonb_strip_nulls(jsonb_build_object(
                    'id', file_id, 'name', name, 'folder', folder, 'size', size_bytes, 'mime_type', mime_type,
                    'started_at', raglive.rfc3339(started_at), 'processing_stage', stage,
                    'progress', progress::numeric, 'attempt', attempt,
                    'standing', raglive.standing(files), 'moved_at', raglive.rfc3339(moved_at))) AS entry
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
            'failed', head.failed, 'skipped', head.skipped,
            'waiting', (SELECT count(*) FROM raglive.files
                        WHERE pipeline_key = key AND state = 'queued' AND next_attempt_at > clock_timestamp())),
        'cursor', raglive.cursor(head.epoch, head.seq),
        'digest', encode(head.digest, 'hex')
    ) || jsonb_strip_nulls(jsonb_build_object(
        'started_at', raglive.rfc3339(head.started_at),
        'watch_location', head.watch_location,
        'offline_reason', head.offline_reason,
        'problem', head.problem,
        'paused', head.paused,
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

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA raglive FROM PUBLIC;
