-- What is kept between the attempts at a file, what embedding has cost, and how stuck and waiting files show.

-- `paused`: why no file is taken up for now, though nothing is broken that somebody must mend here.
ALTER TABLE raglive.heads ADD COLUMN paused jsonb;

-- `moved_at`: when the running attempt's stage or progress last changed; `stuck_at`: since when it is said to be stuck.
ALTER TABLE raglive.files
    ADD COLUMN moved_at timestamptz,
    ADD COLUMN stuck_at timestamptz;

-- What was extracted from one version of a file, until that version is in the index.
CREATE TABLE raglive.drafts (
    file_key   bigint PRIMARY KEY REFERENCES raglive.files ON DELETE CASCADE,
    generation bigint NOT NULL,
    content    bytea NOT NULL,
    made_at    timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE raglive.drafts ALTER COLUMN content SET STORAGE EXTERNAL; -- it is compressed already

-- Vectors that a provider was paid for and that no document in the index holds yet.
CREATE TABLE raglive.kept_vectors (
    content_hash bytea PRIMARY KEY CHECK (octet_length(content_hash) = 32),
    embedding    vector NOT NULL,
    made_at      timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX kept_vectors_by_age ON raglive.kept_vectors (made_at);

-- What was asked of embedding providers: by pipeline, day (UTC), file and model.
CREATE TABLE raglive.embedding_usage (
    pipeline_key integer NOT NULL REFERENCES raglive.pipelines ON DELETE CASCADE,
    day          date NOT NULL,
    file_key     bigint NOT NULL REFERENCES raglive.files ON DELETE CASCADE,
    model        text NOT NULL,
    texts        bigint NOT NULL CHECK (texts > 0),
    tokens       bigint NOT NULL CHECK (tokens >= 0),
    cost         numeric NOT NULL DEFAULT 0 CHECK (cost >= 0),
    PRIMARY KEY (pipeline_key, day, file_key, model)
);
CREATE INDEX embedding_usage_by_file ON raglive.embedding_usage (file_key);

ALTER TABLE raglive.drafts ENABLE ROW LEVEL SECURITY;
ALTER TABLE raglive.kept_vectors ENABLE ROW LEVEL SECURITY;
ALTER TABLE raglive.embedding_usage ENABLE ROW LEVEL SECURITY;

-- What people are told of a file: of those queued, who waits for a retry; of those in progress, who does not progress.
CREATE FUNCTION raglive.standing(file raglive.files) RETURNS text LANGUAGE sql STABLE
RETURN CASE
    WHEN file.state = 'queued' AND file.next_attempt_at > clock_timestamp() THEN 'waiting'
    WHEN file.state <> 'processing' THEN file.state
    WHEN file.lease_until < clock_timestamp() THEN 'lost'
    WHEN file.stuck_at IS NOT NULL THEN 'stuck'
    ELSE 'processing'
END;
REVOKE ALL ON FUNCTION raglive.standing FROM PUBLIC;

-- The snapshot `pipeline:status`, with what pauses it. One statement reads all of it, so that it is true at its cursor.
CREATE OR REPLACE FUNCTION raglive.pipeline_status(key integer) RETURNS jsonb LANGUAGE sql STABLE
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
