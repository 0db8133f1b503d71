-- What embedding costs: usage, and reservations that keep processes within a shared budget.

-- What was requested of embedding providers, by pipeline, day (UTC), file and model. It outlives the file's row, because the budget
-- counts it: then the file's key is 0.
CREATE TABLE raglive.embedding_usage (
    pipeline_key integer NOT NULL REFERENCES raglive.pipelines ON DELETE CASCADE,
    day          date NOT NULL,
    file_key     bigint NOT NULL,
    model        text NOT NULL,
    texts        bigint NOT NULL CHECK (texts > 0),
    tokens       bigint NOT NULL CHECK (tokens >= 0),
    cost         numeric NOT NULL DEFAULT 0 CHECK (cost >= 0),
    PRIMARY KEY (pipeline_key, day, file_key, model)
);
ALTER TABLE raglive.embedding_usage ENABLE ROW LEVEL SECURITY;
CREATE INDEX embedding_usage_by_file ON raglive.embedding_usage (file_key);

-- What the requests in progress will cost. A reservation expires, because its process may die.
CREATE TABLE raglive.embedding_reservations (
    reservation_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pipeline_key   integer NOT NULL REFERENCES raglive.pipelines ON DELETE CASCADE,
    cost           numeric NOT NULL CHECK (cost >= 0),
    expires_at     timestamptz NOT NULL
);
ALTER TABLE raglive.embedding_reservations ENABLE ROW LEVEL SECURITY;
CREATE INDEX embedding_reservations_by_pipeline ON raglive.embedding_reservations (pipeline_key);

-- Reserves a cost and returns the reservation's id. Returns null if recorded usage leaves no room for it, and 0 if only the
-- reservations of others leave none.
CREATE FUNCTION raglive.reserve_cost(key integer, since date, expected numeric, budget numeric, seconds double precision)
RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    spent numeric;
    reserved numeric;
    made bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('raglive.embedding_budget', key));
    DELETE FROM raglive.embedding_reservations WHERE pipeline_key = key AND expires_at < clock_timestamp();
    SELECT coalesce((SELECT sum(cost) FROM raglive.embedding_usage WHERE pipeline_key = key AND day >= since), 0),
           coalesce((SELECT sum(cost) FROM raglive.embedding_reservations WHERE pipeline_key = key), 0)
    INTO spent, reserved;
    IF spent + expected > budget THEN
        RETURN NULL;
    ELSIF spent + reserved + expected > budget THEN
        RETURN 0;
    END IF;
    INSERT INTO raglive.embedding_reservations (pipeline_key, cost, expires_at)
    VALUES (key, expected, clock_timestamp() + make_interval(secs => seconds))
    RETURNING reservation_id INTO made;
    RETURN made;
END $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA raglive FROM PUBLIC;
