-- The processes of each pipeline, so that the pipeline goes offline only with the last of them.

CREATE TABLE raglive.processes (
    pipeline_key integer NOT NULL REFERENCES raglive.pipelines ON DELETE CASCADE,
    owner        text NOT NULL, -- as of leases
    seen_at      timestamptz NOT NULL,
    PRIMARY KEY (pipeline_key, owner)
);
ALTER TABLE raglive.processes ENABLE ROW LEVEL SECURITY;
