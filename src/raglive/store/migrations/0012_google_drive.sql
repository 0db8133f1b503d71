-- What a Google Drive pipeline remembers in addition to its files: folders in scope, shortcuts, and its place in each change log.

-- A watched folder or one below it. `pending`: its content has still to be listed; `unreadable`: a watched folder that cannot be read.
CREATE TABLE raglive.google_folders (
    pipeline_key integer NOT NULL REFERENCES raglive.pipelines ON DELETE CASCADE,
    folder_id    text NOT NULL,
    parent_id    text,
    name         text NOT NULL,
    path         text NOT NULL,
    log          text NOT NULL DEFAULT '', -- the shared drive whose change log covers it; empty for the account's own log
    is_root      boolean NOT NULL DEFAULT false,
    state        text NOT NULL CHECK (state IN ('pending', 'listed', 'unreadable')),
    seen         bigint, -- the last full listing that found it
    PRIMARY KEY (pipeline_key, folder_id)
);
ALTER TABLE raglive.google_folders ENABLE ROW LEVEL SECURITY;
CREATE INDEX google_folders_roots ON raglive.google_folders (pipeline_key) WHERE is_root;
CREATE INDEX google_folders_by_parent ON raglive.google_folders (pipeline_key, parent_id);
CREATE INDEX google_folders_pending ON raglive.google_folders (pipeline_key, log) WHERE state = 'pending';

-- A shortcut to a file, in a folder in scope.
CREATE TABLE raglive.google_shortcuts (
    pipeline_key integer NOT NULL REFERENCES raglive.pipelines ON DELETE CASCADE,
    shortcut_id  text NOT NULL,
    parent_id    text NOT NULL,
    target_id    text NOT NULL,
    unchecked    boolean NOT NULL DEFAULT true, -- the state of the target has still to be requested
    drive        text NOT NULL DEFAULT '', -- the target's shared drive, whose log covers it even if no folder of it is watched
    PRIMARY KEY (pipeline_key, shortcut_id)
);
ALTER TABLE raglive.google_shortcuts ENABLE ROW LEVEL SECURITY;
CREATE INDEX google_shortcuts_by_target ON raglive.google_shortcuts (pipeline_key, target_id);
CREATE INDEX google_shortcuts_by_parent ON raglive.google_shortcuts (pipeline_key, parent_id);
CREATE INDEX google_shortcuts_unchecked ON raglive.google_shortcuts (pipeline_key) WHERE unchecked;

CREATE TABLE raglive.google_logs (
    pipeline_key integer NOT NULL REFERENCES raglive.pipelines ON DELETE CASCADE,
    log          text NOT NULL,
    cursor       text NOT NULL,
    PRIMARY KEY (pipeline_key, log)
);
ALTER TABLE raglive.google_logs ENABLE ROW LEVEL SECURITY;

-- Files and shortcuts that the full listing in progress has not yet found in their folder.
CREATE TABLE raglive.google_missing (
    pipeline_key integer NOT NULL REFERENCES raglive.pipelines ON DELETE CASCADE,
    item_id      text NOT NULL,
    PRIMARY KEY (pipeline_key, item_id)
);
ALTER TABLE raglive.google_missing ENABLE ROW LEVEL SECURITY;

-- Resource keys, without which items that are shared by link only do not exist for the account.
CREATE TABLE raglive.google_resource_keys (
    pipeline_key integer NOT NULL REFERENCES raglive.pipelines ON DELETE CASCADE,
    item_id      text NOT NULL,
    resource_key text NOT NULL,
    PRIMARY KEY (pipeline_key, item_id)
);
ALTER TABLE raglive.google_resource_keys ENABLE ROW LEVEL SECURITY;
