-- name: lock
SELECT pg_try_advisory_lock(hashtextextended('raglive.search_indexes', 0))

-- name: load
-- The parameters of a library are its own once it is loaded, and until then a superuser's.
SELECT '[1]'::vector

-- name: standing
-- How much there is to search, how much is on its way, and which indexes of the chunks there are.
SELECT greatest(0, class.reltuples)::bigint AS counted,
       (SELECT coalesce(sum(queued + processing), 0)::bigint FROM raglive.heads) AS waiting,
       (SELECT coalesce(sum(completed), 0)::bigint FROM raglive.heads) AS completed,
       coalesce((SELECT dimensions FROM raglive.embedding_models WHERE active), 0) AS dimensions,
       EXISTS (SELECT FROM pg_extension
               WHERE extname = 'vector'
                 AND string_to_array(substring(extversion FROM '^[0-9.]+'), '.')::integer[] >= '{0,8}') AS scans_widely,
       ARRAY(SELECT index.relname::text FROM pg_index JOIN pg_class AS index ON index.oid = indexrelid
             WHERE indrelid = class.oid AND indisvalid) AS valid,
       ARRAY(SELECT index.relname::text FROM pg_index JOIN pg_class AS index ON index.oid = indexrelid
             WHERE indrelid = class.oid AND NOT indisvalid
               AND (index.relname = 'chunks_by_vector' OR starts_with(index.relname, 'chunks_by_words_'))) AS broken
FROM pg_class AS class WHERE class.oid = 'raglive.chunks'::regclass

-- name: outgrown
-- Tables that have more than doubled since they were last counted.
SELECT oid::regclass::text AS name FROM pg_class
WHERE relnamespace = 'raglive'::regnamespace AND relkind = 'r'
  AND pg_relation_size(oid) > greatest($1, 2 * relpages::bigint * current_setting('block_size')::integer)

-- name: count
ANALYZE {table}

-- name: build_memory
SELECT pg_size_bytes(current_setting('maintenance_work_mem')) AS allowed,
       current_setting('dynamic_shared_memory_type') AS shared_memory,
       current_setting('cluster_name') = 'raglive' AS is_embedded

-- name: set_memory
SELECT set_config('maintenance_work_mem', $1, false)

-- name: build_progress
SELECT tuples_done FROM pg_stat_progress_create_index WHERE relid = 'raglive.chunks'::regclass

-- name: build_words
CREATE INDEX CONCURRENTLY IF NOT EXISTS chunks_by_words_{config} ON raglive.chunks USING gin (to_tsvector('{config}', content))

-- name: build_vectors
CREATE INDEX CONCURRENTLY IF NOT EXISTS chunks_by_vector ON raglive.chunks USING hnsw (embedding vector_cosine_ops)

-- name: drop
DROP INDEX CONCURRENTLY IF EXISTS raglive.{name}

-- name: widen_matches
-- With a vector index, agents still get as many matches as they ask for, and all that their filter lets through.
ALTER FUNCTION public.match_documents SET hnsw.iterative_scan = 'strict_order';
ALTER FUNCTION public.match_documents SET hnsw.ef_search = 200;
ALTER FUNCTION public.match_documents SET hnsw.max_scan_tuples = 2147483647;
ALTER FUNCTION public.match_documents SET hnsw.scan_mem_multiplier = 1000
