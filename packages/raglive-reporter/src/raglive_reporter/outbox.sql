CREATE TABLE events (
    place       INTEGER PRIMARY KEY AUTOINCREMENT, -- the order of publication; never used again
    pipeline_id TEXT NOT NULL,
    file_id     TEXT NOT NULL, -- '' for the pipeline itself
    type        TEXT NOT NULL,
    body        BLOB NOT NULL
);
CREATE INDEX events_in_order ON events (pipeline_id, place);
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
    published   INTEGER NOT NULL DEFAULT 0, -- place of the last event that the log has
    PRIMARY KEY (pipeline_id, file_id)
) WITHOUT ROWID;

CREATE TABLE dead_letters (
    place       INTEGER PRIMARY KEY,
    pipeline_id TEXT NOT NULL,
    file_id     TEXT NOT NULL,
    type        TEXT NOT NULL,
    body        BLOB NOT NULL,
    code        TEXT NOT NULL,
    message     TEXT NOT NULL,
    refused_at  TEXT NOT NULL,
    again       INTEGER NOT NULL DEFAULT 0 -- somebody wants it tried again
);
CREATE INDEX dead_letters_of_pipeline ON dead_letters (pipeline_id, again);

CREATE TABLE sessions (
    session     TEXT PRIMARY KEY,
    pipeline_id TEXT NOT NULL,
    pid         INTEGER NOT NULL,
    started     REAL NOT NULL -- of the process, so that another with its number is not taken for it
) WITHOUT ROWID;
