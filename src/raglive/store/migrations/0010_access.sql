-- Revoked tokens, and the audit log of what operators did.

-- Revokes one token by its id, or all tokens of a subject that were issued until `revoked_at`.
CREATE TABLE raglive.revocations (
    revocation_key bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    token_id       text CHECK (token_id <> ''),
    subject        text CHECK (subject <> ''),
    revoked_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    revoked_by     text NOT NULL,
    reason         text,
    CHECK (num_nonnulls(token_id, subject) = 1)
);
ALTER TABLE raglive.revocations ENABLE ROW LEVEL SECURITY;

-- What the tokens of a subject have published over the status servers on a day (UTC), for the quotas.
CREATE TABLE raglive.producer_usage (
    day       date NOT NULL,
    subject   text NOT NULL,
    events    bigint NOT NULL DEFAULT 0,
    bytes     bigint NOT NULL DEFAULT 0,
    pipelines bigint NOT NULL DEFAULT 0, -- created
    PRIMARY KEY (day, subject)
);
ALTER TABLE raglive.producer_usage ENABLE ROW LEVEL SECURITY;

-- The audit log. What viewers do is in the servers' logs.
CREATE TABLE raglive.operator_acts (
    act_key     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    acted_at    timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor       text NOT NULL,
    action      text NOT NULL,
    pipeline_id text,
    detail      jsonb NOT NULL DEFAULT '{}'
);

-- Deletes all but the last 100,000 entries.
CREATE FUNCTION raglive.forget_old_acts() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM raglive.operator_acts WHERE act_key <= (SELECT max(act_key) FROM raglive.operator_acts) - 100000;
    RETURN NULL;
END $$;
CREATE TRIGGER forget_old AFTER INSERT ON raglive.operator_acts
FOR EACH STATEMENT EXECUTE FUNCTION raglive.forget_old_acts();

ALTER TABLE raglive.operator_acts ENABLE ROW LEVEL SECURITY;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA raglive FROM PUBLIC;
