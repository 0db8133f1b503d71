-- The number of files in each state, counted by triggers, so that every writer counts.

CREATE FUNCTION raglive.count_files() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    step record;
BEGIN
    FOR step IN EXECUTE format(
        'SELECT pipeline_key,
                coalesce(sum(n) FILTER (WHERE state = ''queued''), 0) AS queued,
                coalesce(sum(n) FILTER (WHERE state = ''processing''), 0) AS processing,
                coalesce(sum(n) FILTER (WHERE state = ''completed''), 0) AS completed,
                coalesce(sum(n) FILTER (WHERE state = ''failed''), 0) AS failed,
                coalesce(sum(n) FILTER (WHERE state = ''skipped''), 0) AS skipped
         FROM (SELECT pipeline_key, state, sum(n) AS n FROM (%s) AS moved GROUP BY 1, 2) AS net
         WHERE n <> 0 AND state <> ''deleted''
         GROUP BY pipeline_key ORDER BY pipeline_key',
        CASE TG_OP
            WHEN 'INSERT' THEN 'SELECT pipeline_key, state, 1 AS n FROM arrived'
            WHEN 'DELETE' THEN 'SELECT pipeline_key, state, -1 AS n FROM departed'
            ELSE 'SELECT pipeline_key, state, 1 AS n FROM arrived
                  UNION ALL SELECT pipeline_key, state, -1 FROM departed'
        END)
    LOOP
        UPDATE raglive.heads
        SET queued     = queued + step.queued,
            processing = processing + step.processing,
            completed  = completed + step.completed,
            failed     = failed + step.failed,
            skipped    = skipped + step.skipped
        WHERE pipeline_key = step.pipeline_key;
    END LOOP;
    RETURN NULL;
END $$;

CREATE TRIGGER count_inserted AFTER INSERT ON raglive.files
REFERENCING NEW TABLE AS arrived FOR EACH STATEMENT EXECUTE FUNCTION raglive.count_files();
CREATE TRIGGER count_updated AFTER UPDATE ON raglive.files
REFERENCING OLD TABLE AS departed NEW TABLE AS arrived FOR EACH STATEMENT EXECUTE FUNCTION raglive.count_files();
CREATE TRIGGER count_deleted AFTER DELETE ON raglive.files
REFERENCING OLD TABLE AS departed FOR EACH STATEMENT EXECUTE FUNCTION raglive.count_files();

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA raglive FROM PUBLIC;
