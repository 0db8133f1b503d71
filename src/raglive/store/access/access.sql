-- name: revoke
INSERT INTO raglive.revocations (token_id, subject, revoked_by, reason) VALUES ($1, $2, $3, $4)

-- name: revocations_mark
SELECT count(*), coalesce(max(revocation_key), 0) FROM raglive.revocations

-- name: revocations
SELECT token_id, subject, extract(epoch FROM max(revoked_at))::double precision AS revoked_at
FROM raglive.revocations GROUP BY token_id, subject

-- name: note_act
INSERT INTO raglive.operator_acts (actor, action, pipeline_id, detail) VALUES ($1, $2, $3, $4)

-- name: last_act
SELECT coalesce(max(act_key), 0) FROM raglive.operator_acts

-- name: acts_after
SELECT act_key, acted_at, actor, action, pipeline_id, detail
FROM raglive.operator_acts WHERE act_key > $1 ORDER BY act_key LIMIT 100
