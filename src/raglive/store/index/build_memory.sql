-- name: settings
SELECT pg_size_bytes(current_setting('maintenance_work_mem')) AS work_memory,
       current_setting('dynamic_shared_memory_type') AS shared_memory,
       current_setting('cluster_name') = 'raglive' AS is_embedded

-- name: set_work_memory
SELECT set_config('maintenance_work_mem', $1, false)
