-- name: revoke
INSERT INTO raglive.revocations (token_id, subject, revoked_by, reason) VALUES ($1, $2, $3, $4)

-- name: version
-- Changes with every revocation.
SELECT count(*), coalesce(max(revocation_key), 0) FROM raglive.revocations

-- name: revocations
SELECT token_id, subject, extract(epoch FROM max(revoked_at))::double precision AS revoked_at
FROM raglive.revocations GROUP BY token_id, subject
