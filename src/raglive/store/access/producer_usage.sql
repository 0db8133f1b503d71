-- name: add
INSERT INTO raglive.producer_usage AS known (day, subject, events, bytes, pipelines)
VALUES ((clock_timestamp() AT TIME ZONE 'UTC')::date, $1, $2, $3, $4)
ON CONFLICT (day, subject) DO UPDATE
SET events = known.events + excluded.events, bytes = known.bytes + excluded.bytes,
    pipelines = known.pipelines + excluded.pipelines
RETURNING events, bytes, pipelines
