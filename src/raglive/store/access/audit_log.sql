-- name: append
INSERT INTO raglive.operator_acts (actor, action, pipeline_id, detail) VALUES ($1, $2, $3, $4)

-- name: last_entry
SELECT coalesce(max(act_key), 0) FROM raglive.operator_acts

-- name: entries_after
SELECT act_key, acted_at, actor, action, pipeline_id, detail
FROM raglive.operator_acts WHERE act_key > $1 ORDER BY act_key LIMIT 100
