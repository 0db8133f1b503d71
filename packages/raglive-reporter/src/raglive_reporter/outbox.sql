CREATE TABLE events (
    position    INTEGER PRIMARY KEY AUTOINCREMENT, -- the order of publication; never reused
    pipeline_id TEXT NOT NULL,
    file_id     TEXT NOT NULL, -- '' for events of the pipeline itself
    type        TEXT NOT NULL,
    body        BLOB NOT NULL
);
CREATE INDEX events_in_order ON events (pipeline_id, position);
CREATE INDEX events_of_file ON events (pipeline_id, file_id);

CREATE TABLE waiting (
    pipeline_id TEXT PRIMARY KEY,
    events      INTEGER NOT NULL,
    bytes       INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TRIGGER event_added AFTER INSERT ON events BEGIN
    INSERT INTO waiting VALUES (new.pipeline_id, 1, length(new.body))
    ON CONFLICT DO UPDATE SET events = events + 1, bytes = bytes + excluded.bytes;
END;

CREATE TRIGGER event_removed AFTER DELETE ON events BEGIN
    UPDATE waiting SET events = events - 1, bytes = bytes - length(old.body)
    WHERE pipeline_id = old.pipeline_id;
END;

CREATE TABLE files (
    pipeline_id TEXT NOT NULL,
    file_id     TEXT NOT NULL,
    attempt     INTEGER NOT NULL DEFAULT 0, -- the latest
    published   INTEGER NOT NULL DEFAULT 0, -- position of the last published event
    PRIMARY KEY (pipeline_id, file_id)
) WITHOUT ROWID;

CREATE TABLE dead_letters (
    position        INTEGER PRIMARY KEY,
    pipeline_id     TEXT NOT NULL,
    file_id         TEXT NOT NULL,
    type            TEXT NOT NULL,
    body            BLOB NOT NULL,
    code            TEXT NOT NULL,
    message         TEXT NOT NULL,
    refused_at      TEXT NOT NULL,
    retry_requested INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX dead_letters_of_pipeline ON dead_letters (pipeline_id, retry_requested);

CREATE TABLE reporters (
    reporter    TEXT PRIMARY KEY,
    pipeline_id TEXT NOT NULL,
    pid         INTEGER NOT NULL,
    started     REAL NOT NULL -- of the process: a later process may have the same pid
) WITHOUT ROWID;
