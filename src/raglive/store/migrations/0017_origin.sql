-- Where the logs were written, so that a restored backup is recognised. Cursors of events after the backup belong to another history:
-- new epochs make them invalid, before other events get the same numbers.

CREATE TABLE raglive.origin (
    is_only      boolean PRIMARY KEY DEFAULT true CHECK (is_only),
    identity     text NOT NULL, -- of server, timeline, database and table
    files        text, -- of the embedded database's files; null for another database
    installation uuid NOT NULL DEFAULT gen_random_uuid() -- names the channel in Redis
);
ALTER TABLE raglive.origin ENABLE ROW LEVEL SECURITY;

-- Returns what differs after a dump was restored, after a recovery to a point in time, and on a promoted standby.
CREATE FUNCTION raglive.database_identity() RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    place text := (SELECT oid FROM pg_database WHERE datname = current_database()) || '/' || 'raglive.heads'::regclass::oid;
BEGIN
    RETURN (SELECT system_identifier FROM pg_control_system())
        || '/' || substring(pg_walfile_name(pg_current_wal_lsn()) FOR 8) || '/' || place;
EXCEPTION WHEN insufficient_privilege OR feature_not_supported OR undefined_function THEN
    RETURN place; -- a hosting service hides the server
END $$;

-- Gives every log a new epoch; returns the number of logs.
CREATE FUNCTION raglive.begin_epochs() RETURNS bigint LANGUAGE sql VOLATILE
BEGIN ATOMIC
    WITH begun AS (UPDATE raglive.heads SET epoch = raglive.new_epoch() RETURNING 1) SELECT count(*) FROM begun;
END;

-- Gives every log a new epoch if the database is not where the logs were written; returns the number of logs. `stated` identifies the files
-- of the embedded database.
CREATE FUNCTION raglive.recognize_origin(stated text DEFAULT NULL) RETURNS bigint LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    present text := raglive.database_identity();
    known raglive.origin;
    is_known boolean;
BEGIN
    IF EXISTS (SELECT FROM raglive.origin WHERE identity = present AND (stated IS NULL OR files = stated)) THEN
        RETURN 0;
    END IF;
    LOCK TABLE raglive.origin IN SHARE ROW EXCLUSIVE MODE;
    SELECT * INTO known FROM raglive.origin;
    is_known := FOUND;
    INSERT INTO raglive.origin (identity, files) VALUES (present, stated)
    ON CONFLICT (is_only) DO UPDATE SET identity = present, files = coalesce(stated, origin.files);
    IF is_known AND (known.identity <> present OR known.files <> stated) THEN -- null when either is not known
        RETURN raglive.begin_epochs();
    END IF;
    RETURN 0;
END $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA raglive FROM PUBLIC;
