-- What a Google Drive pipeline keeps beside its files: the folders in scope, shortcuts, and its place in each change log.

-- A folder below a watched one. `pending`: its content is still to be listed; `away`: a watched folder that cannot be read.
-- `log` is the shared drive whose change log tells of it, empty for the account's own; `seen` the last full listing that met it.
CREATE TABLE raglive.google_folders (
    pipeline_key integer NOT NULL REFERENCES raglive.pipelines ON DELETE CASCADE,
    folder_id    text NOT NULL,
    parent_id    text,
    name         text NOT NULL,
    path         text NOT NULL,
    log          text NOT NULL DEFAULT '',
    is_root      boolean NOT NULL DEFAULT false,
    state        text NOT NULL CHECK (state IN ('pending', 'listed', 'away')),
    seen         bigint,
    PRIMARY KEY (pipeline_key, folder_id)
);
CREATE INDEX google_folders_by_parent ON raglive.google_folders (pipeline_key, parent_id);
CREATE INDEX google_folders_pending ON raglive.google_folders (pipeline_key, log) WHERE state = 'pending';

-- A shortcut to a file, in a folder in scope. `unchecked`: what has become of its target is still to be asked.
CREATE TABLE raglive.google_shortcuts (
    pipeline_key integer NOT NULL REFERENCES raglive.pipelines ON DELETE CASCADE,
    shortcut_id  text NOT NULL,
    parent_id    text NOT NULL,
    target_id    text NOT NULL,
    unchecked    boolean NOT NULL DEFAULT true,
    PRIMARY KEY (pipeline_key, shortcut_id)
);
CREATE INDEX google_shortcuts_by_target ON raglive.google_shortcuts (pipeline_key, target_id);
CREATE INDEX google_shortcuts_by_parent ON raglive.google_shortcuts (pipeline_key, parent_id);
CREATE INDEX google_shortcuts_unchecked ON raglive.google_shortcuts (pipeline_key) WHERE unchecked;

CREATE TABLE raglive.google_logs (
    pipeline_key integer NOT NULL REFERENCES raglive.pipelines ON DELETE CASCADE,
    log          text NOT NULL,
    cursor       text NOT NULL,
    PRIMARY KEY (pipeline_key, log)
);

-- Files and shortcuts that the full listing under way has not met in their folder.
CREATE TABLE raglive.google_missing (
    pipeline_key integer NOT NULL REFERENCES raglive.pipelines ON DELETE CASCADE,
    item_id      text NOT NULL,
    PRIMARY KEY (pipeline_key, item_id)
);

CREATE INDEX files_by_google_folder ON raglive.files (pipeline_key, (source ->> 'parent'))
    WHERE state <> 'deleted' AND source ? 'parent';

ALTER TABLE raglive.google_folders ENABLE ROW LEVEL SECURITY;
ALTER TABLE raglive.google_shortcuts ENABLE ROW LEVEL SECURITY;
ALTER TABLE raglive.google_logs ENABLE ROW LEVEL SECURITY;
ALTER TABLE raglive.google_missing ENABLE ROW LEVEL SECURITY;
