-- name: lock
SELECT pg_try_advisory_lock(hashtextextended('raglive.search_indexes', 0))

-- name: load_extension
-- Once pgvector is loaded, its owner may set its parameters; before that, only a superuser.
SELECT '[1]'::vector

-- name: build_progress
SELECT tuples_done FROM pg_stat_progress_create_index WHERE relid = 'raglive.chunks'::regclass

-- name: build_words
CREATE INDEX CONCURRENTLY IF NOT EXISTS chunks_by_words_{config} ON raglive.chunks USING gin (to_tsvector('{config}', content))

-- name: build_vectors
CREATE INDEX CONCURRENTLY IF NOT EXISTS chunks_by_vector ON raglive.chunks USING hnsw (embedding vector_cosine_ops)

-- name: drop
DROP INDEX CONCURRENTLY IF EXISTS raglive.{name}

-- name: widen_match_scan
-- With a vector index, agents still get as many matches as they ask for, and all that pass their filter.
ALTER FUNCTION public.match_documents SET hnsw.iterative_scan = 'strict_order';
ALTER FUNCTION public.match_documents SET hnsw.ef_search = 200;
ALTER FUNCTION public.match_documents SET hnsw.max_scan_tuples = 2147483647;
ALTER FUNCTION public.match_documents SET hnsw.scan_mem_multiplier = 1000
