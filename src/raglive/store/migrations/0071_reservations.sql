-- What requests that are under way will cost, so that processes which share a budget keep it together.
CREATE TABLE raglive.embedding_reservations (
    reservation_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    pipeline_key   integer NOT NULL REFERENCES raglive.pipelines ON DELETE CASCADE,
    cost           numeric NOT NULL CHECK (cost >= 0),
    expires_at     timestamptz NOT NULL -- a process may die with it
);
CREATE INDEX embedding_reservations_by_pipeline ON raglive.embedding_reservations (pipeline_key);
ALTER TABLE raglive.embedding_reservations ENABLE ROW LEVEL SECURITY;

-- Reserve a cost, one at a time. Null when what is spent leaves no room for it; 0 when only what is under way does not.
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
REVOKE ALL ON FUNCTION raglive.reserve_cost FROM PUBLIC;
