-- The log: durable events, and for each pipeline the head that gives them their numbers.

-- The end of a pipeline's log, and the state that its events add up to. The lock on its row orders the pipeline's transactions.
CREATE TABLE raglive.heads (
    pipeline_key    integer PRIMARY KEY REFERENCES raglive.pipelines ON DELETE CASCADE,
    epoch           text NOT NULL UNIQUE CHECK (epoch ~ '^[0-9a-z]{1,32}$'),
    seq             bigint NOT NULL DEFAULT 0 CHECK (seq >= 0),
    digest          bytea NOT NULL DEFAULT '' CHECK (octet_length(digest) = CASE WHEN seq = 0 THEN 0 ELSE 32 END),
    status          text NOT NULL DEFAULT 'offline' CHECK (status IN ('online', 'offline')),
    offline_reason  text, -- of the last `pipeline:offline`, while the pipeline is offline
    started_at      timestamptz,
    check_interval  double precision, -- seconds
    watch_location  text,
    problem         jsonb, -- what an operator has to repair before the pipeline works
    paused          jsonb, -- why no file is claimed for now, although nothing needs repair here
    budget          jsonb, -- what the pipeline may spend on embeddings, `{amount, period, price}`; null without a limit
    last_activity   timestamptz,
    queued          bigint NOT NULL DEFAULT 0 CHECK (queued >= 0),
    processing      bigint NOT NULL DEFAULT 0 CHECK (processing >= 0),
    completed       bigint NOT NULL DEFAULT 0 CHECK (completed >= 0),
    failed          bigint NOT NULL DEFAULT 0 CHECK (failed >= 0),
    skipped         bigint NOT NULL DEFAULT 0 CHECK (skipped >= 0),
    total_processed bigint NOT NULL DEFAULT 0,
    total_failed    bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
ALTER TABLE raglive.heads ENABLE ROW LEVEL SECURITY;

-- Without a foreign key: an appending transaction holds the lock on the head, so a check per event would add nothing.
-- Its producer says when an event occurred. How long it is retained depends on when it was appended.
CREATE TABLE raglive.events (
    pipeline_key integer NOT NULL,
    id           uuid NOT NULL, -- after an integer it needs no padding
    seq          bigint NOT NULL CHECK (seq > 0),
    occurred_at  timestamptz NOT NULL,
    appended_at  timestamptz NOT NULL DEFAULT clock_timestamp(),
    type         text NOT NULL,
    file_id      text,
    payload      jsonb NOT NULL,
    digest       bytea NOT NULL CHECK (octet_length(digest) = 32),
    PRIMARY KEY (pipeline_key, seq),
    UNIQUE (pipeline_key, id)
);
ALTER TABLE raglive.events ENABLE ROW LEVEL SECURITY;
CREATE INDEX events_by_outcome ON raglive.events (pipeline_key, occurred_at) WHERE type IN ('file:completed', 'file:failed');
-- Without seq, Postgres stores each file's id once. A file has few events, which are quickly sorted.
CREATE INDEX events_by_file ON raglive.events (pipeline_key, file_id) WHERE file_id IS NOT NULL;

-- Where a pipeline's log begins: the events up to `seq` have expired. `digest` is that of the last of them, and the totals count them.
-- Apart from the head, so that publishing never waits while events are removed.
CREATE TABLE raglive.log_starts (
    pipeline_key    integer PRIMARY KEY REFERENCES raglive.pipelines ON DELETE CASCADE,
    seq             bigint NOT NULL DEFAULT 0 CHECK (seq >= 0),
    digest          bytea NOT NULL DEFAULT '' CHECK (octet_length(digest) = CASE WHEN seq = 0 THEN 0 ELSE 32 END),
    total_processed bigint NOT NULL DEFAULT 0,
    total_failed    bigint NOT NULL DEFAULT 0
);
ALTER TABLE raglive.log_starts ENABLE ROW LEVEL SECURITY;

-- Deletes the events of a pipeline that is deleted, in place of the foreign key.
CREATE FUNCTION raglive.forget_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM raglive.events WHERE pipeline_key = OLD.pipeline_key;
    RETURN NULL;
END $$;
CREATE TRIGGER forget_events AFTER DELETE ON raglive.heads FOR EACH ROW EXECUTE FUNCTION raglive.forget_events();

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA raglive FROM PUBLIC;
