-- name: read
SELECT pg_is_in_recovery() AS is_standby,
       current_setting('transaction_read_only')::boolean AS is_read_only,
       (SELECT extversion FROM pg_extension WHERE extname = 'vector') AS pgvector,
       current_user AS role,
       pg_get_userbyid(nspowner) AS owner,
       coalesce(pg_has_role(nspowner, 'USAGE'), true) AS is_owner
FROM (SELECT) AS one LEFT JOIN pg_namespace ON nspname = 'raglive'
