-- The registry: pipelines, their files, and every attempt at a file. Only raglive reads the schema `raglive`;
-- other programs read the views in `public`.

-- Holds the vectors of chunks; created here because a missing extension should fail before anything is made.
CREATE EXTENSION IF NOT EXISTS vector;

-- A pipeline as its heartbeats update it. Its head is a table of its own, so that heartbeats never wait for publishing.
CREATE TABLE raglive.pipelines (
    pipeline_key    integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pipeline_id     text NOT NULL UNIQUE CHECK (pipeline_id ~ '^[A-Za-z0-9][A-Za-z0-9._:-]{0,126}$'),
    pipeline_type   text NOT NULL CHECK (pipeline_type ~ '^[a-z][a-z0-9_]{0,62}$'),
    created_at      timestamptz NOT NULL DEFAULT now(),
    last_heartbeat  timestamptz,
    last_check_time timestamptz,
    next_check_time timestamptz,
    is_checking     boolean NOT NULL DEFAULT false,
    uptime          double precision CHECK (uptime >= 0), -- seconds
    memory_usage    bigint CHECK (memory_usage >= 0), -- bytes
    is_managed      boolean NOT NULL DEFAULT false, -- a watcher of raglive has run it: no other producer may publish
    is_removing     boolean NOT NULL DEFAULT false, -- `raglive pipeline remove` deletes it: nobody may publish or watch
    -- the process that watches the source, until when its lease lasts, and what it remembers of the source
    watch_owner     text,
    watch_until     timestamptz,
    watch_state     jsonb NOT NULL DEFAULT '{}'
) WITH (fillfactor = 50);
ALTER TABLE raglive.pipelines ENABLE ROW LEVEL SECURITY;

-- A file: its description, its state, and the job that processes it.
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
    -- written by the watcher: where the file is read from, and what tells one version from another
    location           text,
    source             jsonb NOT NULL DEFAULT '{}',
    desired_generation bigint NOT NULL DEFAULT 0,
    done_generation    bigint NOT NULL DEFAULT 0 CHECK (done_generation <= desired_generation),
    -- the job; `tries` counts the attempts since the last outcome
    attempt            integer NOT NULL DEFAULT 0,
    tries              integer NOT NULL DEFAULT 0,
    next_attempt_at    timestamptz,
    lease_owner        text,
    lease_until        timestamptz,
    leased_generation  bigint,
    -- the progress of the running attempt, and the outcome of the last one
    stage              text CHECK (stage IN ('extraction', 'chunking', 'embedding', 'storing')),
    progress           real CHECK (progress BETWEEN 0 AND 1),
    moved_at           timestamptz, -- when stage or progress last changed
    stuck_at           timestamptz, -- since when the file is reported as stuck
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
ALTER TABLE raglive.files ENABLE ROW LEVEL SECURITY;
CREATE INDEX files_due ON raglive.files (pipeline_key, next_attempt_at) WHERE state = 'queued' AND location IS NOT NULL;
-- Without lease_until, so that the renewal of a lease changes no index.
CREATE INDEX files_leased ON raglive.files (pipeline_key) WHERE lease_owner IS NOT NULL;
-- State first: with the pipeline first, a plan that was cached while the table was empty looks up single files with this index.
-- Ascending, although the newest are read first: values that grow fill its pages, and split them in half in a descending one.
CREATE INDEX files_by_state ON raglive.files (state, pipeline_key, finished_at);
CREATE INDEX files_by_location ON raglive.files (pipeline_key, location) WHERE state <> 'deleted';
CREATE INDEX files_by_change ON raglive.files (pipeline_key, updated_at, file_key) WHERE state <> 'deleted';
CREATE INDEX files_by_name ON raglive.files (pipeline_key, lower(name), file_key) WHERE state <> 'deleted';
CREATE INDEX files_by_google_folder ON raglive.files (pipeline_key, (source ->> 'parent'))
    WHERE state <> 'deleted' AND source ? 'parent';

-- An attempt at a file. A retry does not erase a diagnosis: attempts are deleted with the events that report them, when these expire.
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
ALTER TABLE raglive.attempts ENABLE ROW LEVEL SECURITY;
