-- name: statistics
-- How much there is to search, how much is on its way, and which indexes of the chunks exist.
SELECT greatest(0, class.reltuples)::bigint AS chunks,
       (SELECT coalesce(sum(queued + processing), 0)::bigint FROM raglive.heads) AS waiting_files,
       (SELECT coalesce(sum(completed), 0)::bigint FROM raglive.heads) AS completed_files,
       coalesce((SELECT dimensions FROM raglive.embedding_models WHERE active), 0) AS dimensions,
       EXISTS (SELECT FROM pg_extension
               WHERE extname = 'vector'
                 AND string_to_array(substring(extversion FROM '^[0-9.]+'), '.')::integer[] >= '{0,8}') AS has_iterative_scan,
       ARRAY(SELECT index.relname::text FROM pg_index JOIN pg_class AS index ON index.oid = indexrelid
             WHERE indrelid = class.oid AND indisvalid) AS valid,
       ARRAY(SELECT index.relname::text FROM pg_index JOIN pg_class AS index ON index.oid = indexrelid
             WHERE indrelid = class.oid AND NOT indisvalid
               AND (index.relname = 'chunks_by_vector' OR starts_with(index.relname, 'chunks_by_words_'))) AS invalid
FROM pg_class AS class WHERE class.oid = 'raglive.chunks'::regclass

-- name: outgrown
-- Tables that have more than doubled since they were last analyzed.
SELECT oid::regclass::text AS name FROM pg_class
WHERE relnamespace = 'raglive'::regnamespace AND relkind = 'r'
  AND pg_relation_size(oid) > greatest($1, 2 * relpages::bigint * current_setting('block_size')::integer)

-- name: analyze
ANALYZE {table}
