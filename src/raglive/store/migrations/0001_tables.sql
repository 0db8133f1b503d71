-- The registry, the log and the index. One schema, read by raglive alone; what agents read is in `public`.

CREATE EXTENSION IF NOT EXISTS vector;

-- A pipeline, as its heartbeats leave it. Apart from its head, so that beating never waits for publishing.
CREATE TABLE raglive.pipelines (
    pipeline_key    integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pipeline_id     text NOT NULL UNIQUE CHECK (pipeline_id ~ '^[A-Za-z0-9][A-Za-z0-9._:-]{0,126}$'),
    pipeline_type   text NOT NULL CHECK (pipeline_type ~ '^[a-z][a-z0-9_]{0,62}$'),
    created_at      timestamptz NOT NULL DEFAULT now(),
    last_heartbeat  timestamptz,
    last_check_time timestamptz,
    next_check_time timestamptz,
    is_checking     boolean NOT NULL DEFAULT false,
    uptime          double precision CHECK (uptime >= 0),
    memory_usage    bigint CHECK (memory_usage >= 0),
    watch_owner     text,
    watch_until     timestamptz,
    watch_state     jsonb NOT NULL DEFAULT '{}'
) WITH (fillfactor = 50);

-- The end of a pipeline's log, and what folds over it. Its lock orders the pipeline's transactions.
CREATE TABLE raglive.heads (
    pipeline_key    integer PRIMARY KEY REFERENCES raglive.pipelines ON DELETE CASCADE,
    epoch           text NOT NULL UNIQUE CHECK (epoch ~ '^[0-9a-z]{1,32}$'),
    seq             bigint NOT NULL DEFAULT 0 CHECK (seq >= 0),
    digest          bytea NOT NULL DEFAULT '' CHECK (octet_length(digest) = CASE WHEN seq = 0 THEN 0 ELSE 32 END),
    status          text NOT NULL DEFAULT 'offline' CHECK (status IN ('online', 'offline')),
    started_at      timestamptz,
    check_interval  double precision,
    watch_location  text,
    problem         jsonb,
    last_activity   timestamptz,
    queued          bigint NOT NULL DEFAULT 0 CHECK (queued >= 0),
    processing      bigint NOT NULL DEFAULT 0 CHECK (processing >= 0),
    completed       bigint NOT NULL DEFAULT 0 CHECK (completed >= 0),
    failed          bigint NOT NULL DEFAULT 0 CHECK (failed >= 0),
    skipped         bigint NOT NULL DEFAULT 0 CHECK (skipped >= 0),
    total_processed bigint NOT NULL DEFAULT 0,
    total_failed    bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

-- No foreign key: who appends holds the lock of the head, which a hundred look-ups would say again.
CREATE TABLE raglive.events (
    pipeline_key integer NOT NULL,
    seq          bigint NOT NULL CHECK (seq > 0),
    id           uuid NOT NULL,
    type         text NOT NULL,
    file_id      text,
    occurred_at  timestamptz NOT NULL,
    payload      jsonb NOT NULL,
    digest       bytea NOT NULL CHECK (octet_length(digest) = 32),
    PRIMARY KEY (pipeline_key, seq),
    UNIQUE (pipeline_key, id)
);
CREATE FUNCTION raglive.forget_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM raglive.events WHERE pipeline_key = OLD.pipeline_key;
    RETURN NULL;
END $$;
CREATE TRIGGER forget_events AFTER DELETE ON raglive.heads FOR EACH ROW EXECUTE FUNCTION raglive.forget_events();
CREATE INDEX events_by_outcome ON raglive.events (pipeline_key, occurred_at) WHERE type IN ('file:completed', 'file:failed');
CREATE INDEX events_by_file ON raglive.events (pipeline_key, file_id, seq) WHERE file_id IS NOT NULL;

-- A file: what is known of it, where it stands, and the job that brings it on.
CREATE TABLE raglive.files (
    file_key           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pipeline_key       integer NOT NULL REFERENCES raglive.pipelines ON DELETE CASCADE,
    file_id            text NOT NULL,
    name               text NOT NULL,
    folder             text NOT NULL DEFAULT '',
    url                text,
    mime_type          text,
    size_bytes         bigint CHECK (size_bytes >= 0),
    state              text NOT NULL CHECK (state IN ('queued', 'processing', 'completed', 'failed', 'skipped', 'deleted')),
    -- what the watcher keeps: where the file lies, what tells one version from another
    location           text,
    source             jsonb NOT NULL DEFAULT '{}',
    desired_generation bigint NOT NULL DEFAULT 0,
    done_generation    bigint NOT NULL DEFAULT 0 CHECK (done_generation <= desired_generation),
    -- the job
    attempt            integer NOT NULL DEFAULT 0,
    tries              integer NOT NULL DEFAULT 0,
    next_attempt_at    timestamptz,
    lease_owner        text,
    lease_until        timestamptz,
    leased_generation  bigint,
    -- how the running attempt stands, and how the last one ended
    stage              text CHECK (stage IN ('extraction', 'chunking', 'embedding', 'storing')),
    progress           real CHECK (progress BETWEEN 0 AND 1),
    started_at         timestamptz,
    finished_at        timestamptz,
    results            jsonb,
    error              jsonb,
    reason             jsonb,
    content_hash       bytea,
    title              text,
    first_seen_at      timestamptz NOT NULL DEFAULT now(),
    updated_at         timestamptz NOT NULL DEFAULT now(),
    UNIQUE (pipeline_key, file_id),
    CHECK ((lease_owner IS NULL) = (lease_until IS NULL)),
    CHECK (lease_owner IS NULL OR state = 'processing')
) WITH (fillfactor = 70);
CREATE INDEX files_due ON raglive.files (pipeline_key, next_attempt_at) WHERE state = 'queued' AND location IS NOT NULL;
CREATE INDEX files_leased ON raglive.files (pipeline_key, lease_until) WHERE lease_owner IS NOT NULL;
-- State first: with the pipeline first, a plan made for a still empty table looks up single files in it.
CREATE INDEX files_by_state ON raglive.files (state, pipeline_key, finished_at DESC);
CREATE INDEX files_by_location ON raglive.files (pipeline_key, location) WHERE state <> 'deleted';
CREATE INDEX files_by_change ON raglive.files (pipeline_key, updated_at DESC, file_key DESC) WHERE state <> 'deleted';
CREATE INDEX files_by_name ON raglive.files (pipeline_key, lower(name), file_key) WHERE state <> 'deleted';

CREATE TABLE raglive.attempts (
    file_key    bigint NOT NULL REFERENCES raglive.files ON DELETE CASCADE,
    attempt     integer NOT NULL CHECK (attempt > 0),
    worker      text,
    started_at  timestamptz NOT NULL,
    finished_at timestamptz,
    outcome     text NOT NULL DEFAULT 'running'
                CHECK (outcome IN ('running', 'completed', 'failed', 'skipped', 'lost', 'cancelled')),
    stages      jsonb NOT NULL DEFAULT '[]',
    error       jsonb,
    PRIMARY KEY (file_key, attempt),
    CHECK ((outcome = 'running') = (finished_at IS NULL))
);

-- What made the vectors. Vectors of two models are never compared, so one is active.
CREATE TABLE raglive.embedding_models (
    provider   text NOT NULL,
    model      text NOT NULL,
    dimensions integer NOT NULL CHECK (dimensions BETWEEN 1 AND 16000),
    active     boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (provider, model, dimensions)
);
CREATE UNIQUE INDEX embedding_models_one_active ON raglive.embedding_models (active) WHERE active;

-- The index. `embedding` is typed with its dimensions when the first model is chosen.
CREATE TABLE raglive.chunks (
    chunk_id     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    file_key     bigint NOT NULL REFERENCES raglive.files ON DELETE CASCADE,
    chunk_index  integer NOT NULL CHECK (chunk_index >= 0),
    content      text NOT NULL CHECK (content <> ''),
    content_hash bytea NOT NULL CHECK (octet_length(content_hash) = 32),
    start_offset bigint NOT NULL,
    end_offset   bigint NOT NULL,
    page         integer,
    embedding    vector NOT NULL,
    UNIQUE (file_key, chunk_index)
);
CREATE INDEX chunks_by_content ON raglive.chunks (content_hash);

CREATE TABLE raglive.dataset_rows (
    row_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    file_key  bigint NOT NULL REFERENCES raglive.files ON DELETE CASCADE,
    dataset   text NOT NULL DEFAULT '',
    row_index integer NOT NULL,
    row_data  jsonb NOT NULL,
    UNIQUE (file_key, dataset, row_index)
);
