-- A shortcut's target may be in a shared drive of which no folder is watched: that drive's log tells of it.
ALTER TABLE raglive.google_shortcuts ADD COLUMN drive text NOT NULL DEFAULT '';

CREATE INDEX google_folders_roots ON raglive.google_folders (pipeline_key) WHERE is_root;
