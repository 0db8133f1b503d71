-- name: pipelines
SELECT pipeline_key, pipeline_id FROM raglive.pipelines

-- name: lock_columns
-- The first statement of a search: a snapshot covers rows but not columns, and the end of a reindexing replaces a column.
LOCK TABLE raglive.chunks IN ACCESS SHARE MODE

-- name: widen_index_scan
-- Before pgvector 0.8 an index scan stops at `ef_search` rows, however few of them pass the filter; raglive builds no index then.
SELECT set_config('hnsw.ef_search', $1, true), set_config('hnsw.iterative_scan', 'relaxed_order', true)
FROM pg_extension
WHERE extname = 'vector' AND string_to_array(substring(extversion FROM '^[0-9.]+'), '.')::integer[] >= '{{0,8}}'

-- name: disable_index_scan
SELECT set_config('enable_indexscan', 'off', true)

-- name: rank_by_vector
SELECT chunk.chunk_id, 1 - (chunk.embedding <=> $2) AS score
FROM raglive.chunks AS chunk {files}
WHERE {where}
ORDER BY chunk.embedding <=> $2
LIMIT $1

-- name: terms
-- The words of a question in quotes, each with the share of chunks that hold it, from the statistics of the full-text index.
-- A stop word of the question's language is marked as such; three or more stop words identify the language. If none is identified,
-- a stop word of any language counts if a quarter of the chunks hold it. A word that is rare in the index is searched in any case:
-- "war" is a stop word in German. If every word is a stop word, none is marked.
WITH known AS MATERIALIZED (
    SELECT counted.word, counted.share
    FROM pg_stats AS statistics,
         unnest(statistics.most_common_elems::text::text[], statistics.most_common_elem_freqs) AS counted (word, share)
    WHERE schemaname = 'raglive' AND tablename = 'chunks_by_words_{config}' AND counted.word IS NOT NULL
), asked AS MATERIALIZED (
    SELECT word, share
    FROM unnest(to_tsvector('{config}', $1)) AS lexeme (word, positions, weights) LEFT JOIN known USING (word)
), stop AS MATERIALIZED (
    SELECT dictname AS language, word, share FROM pg_ts_dict CROSS JOIN asked
    WHERE dictnamespace = 'pg_catalog'::regnamespace AND dictname LIKE '%\_stem' AND ts_lexize(pg_ts_dict.oid, word) = '{{}}'
), identified AS (
    SELECT language, true AS is_identified FROM stop GROUP BY language HAVING count(*) >= 3
    ORDER BY count(*) DESC FETCH FIRST ROW WITH TIES
), dropped AS (
    SELECT word FROM stop LEFT JOIN identified USING (language)
    GROUP BY word, share
    HAVING CASE WHEN EXISTS (SELECT FROM identified)
                THEN count(is_identified) = (SELECT count(*) FROM identified) AND (share > 0.01 OR NOT EXISTS (SELECT FROM known))
                ELSE share > 0.25 END
)
SELECT '''' || replace(replace(word, '\', '\\'), '''', '''''') || '''' AS quoted,
       coalesce(share, 0.0005)::float8 AS share,
       dropped.word IS NOT NULL AND (SELECT count(*) FROM dropped) < (SELECT count(*) FROM asked) AS is_stop_word
FROM asked LEFT JOIN dropped USING (word)

-- name: rank_by_text
-- Chunks with every word come first, then those with any of them, ranked by the inverse frequency of their words. A word that most
-- chunks hold does not count.
WITH term AS MATERIALIZED (
    SELECT * FROM unnest($4::text[], $5::float8[]) AS term (quoted, share)
), weighted AS MATERIALIZED (
    SELECT quoted, ln(1 + 1 / share) AS weight FROM term
    WHERE share < 0.3 OR NOT EXISTS (SELECT FROM term WHERE share < 0.3)
    ORDER BY share LIMIT 32
), asked AS MATERIALIZED (
    SELECT CASE WHEN $6 THEN (SELECT string_agg(quoted, ' & ')::tsquery FROM term)
                ELSE websearch_to_tsquery('{config}', $2) END AS every,
           (SELECT string_agg(quoted, ' | ')::tsquery FROM weighted WHERE NOT $3) AS any_of
), found AS MATERIALIZED (
    (SELECT chunk.chunk_id, true AS has_every, to_tsvector('{config}', chunk.content) AS words
     FROM raglive.chunks AS chunk {files}
     WHERE to_tsvector('{config}', chunk.content) @@ (SELECT every FROM asked) AND {where}
     LIMIT 1000)
    UNION ALL
    (SELECT chunk.chunk_id, false, to_tsvector('{config}', chunk.content)
     FROM raglive.chunks AS chunk {files}
     WHERE to_tsvector('{config}', chunk.content) @@ (SELECT any_of FROM asked)
       AND NOT to_tsvector('{config}', chunk.content) @@ (SELECT every FROM asked) AND {where}
     LIMIT 2000)
), ranked AS (
    SELECT chunk_id, has_every,
           (SELECT sum(weight * ts_rank(words, quoted::tsquery, 1)) / sum(weight) FROM weighted) AS rank
    FROM found
)
SELECT chunk_id, (CASE WHEN has_every THEN 0.5 ELSE 0 END + least(coalesce(rank, 0), 1) / 2)::float8 AS score
FROM ranked
ORDER BY score DESC, chunk_id
LIMIT $1

-- name: hits
SELECT chunk.chunk_id, chunk.content, chunk.chunk_index, chunk.page,
       CASE WHEN $2::vector IS NOT NULL THEN 1 - (chunk.embedding <=> $2) END AS similarity,
       ts_headline('{config}', chunk.content, array_to_string($3::text[], ' | ')::tsquery,
                   'MaxWords=45,MinWords=25,ShortWord=2,StartSel=' || chr(2) || ',StopSel=' || chr(3)) AS headline,
       file.file_id, file.name, file.folder, file.url, file.mime_type,
       pipeline.pipeline_id, coalesce(file.finished_at, file.updated_at) AS indexed_at
FROM raglive.chunks AS chunk
JOIN raglive.files AS file USING (file_key)
JOIN raglive.pipelines AS pipeline USING (pipeline_key)
WHERE chunk.chunk_id = ANY ($1)
