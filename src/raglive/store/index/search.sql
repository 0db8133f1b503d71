-- name: pipelines
SELECT pipeline_key, pipeline_id FROM raglive.pipelines

-- name: hold
-- Before anything is looked at: a transaction sees rows as they were, but columns as they are, and an index that is made anew
-- changes one for the other.
LOCK TABLE raglive.chunks IN ACCESS SHARE MODE

-- name: scan_widely
-- Until pgvector 0.8 a vector index stops at `ef_search` rows, however few of them a filter lets through; there is none then.
SELECT set_config('hnsw.ef_search', $1, true), set_config('hnsw.iterative_scan', 'relaxed_order', true)
FROM pg_extension
WHERE extname = 'vector' AND string_to_array(substring(extversion FROM '^[0-9.]+'), '.')::integer[] >= '{{0,8}}'

-- name: scan_all
SELECT set_config('enable_indexscan', 'off', true)

-- name: nearest
SELECT chunk.chunk_id, 1 - (chunk.embedding <=> $2) AS score
FROM raglive.chunks AS chunk {files}
WHERE {only}
ORDER BY chunk.embedding <=> $2
LIMIT $1

-- name: words
-- The words of a question, in quotes, and which share of the chunks holds each, as ANALYZE has counted them for the index.
-- Light are those that only hold it together: stop words of the language that it is in, as three or more of them tell; else stop
-- words of any language that a quarter of the index holds. What is rare in the index is asked for all the same: "war" is German
-- for "was". None is light when nothing else is asked.
WITH known AS MATERIALIZED (
    SELECT counted.word, counted.share
    FROM pg_stats AS statistics,
         unnest(statistics.most_common_elems::text::text[], statistics.most_common_elem_freqs) AS counted (word, share)
    WHERE schemaname = 'raglive' AND tablename = 'chunks_by_words_{config}' AND counted.word IS NOT NULL
), said AS MATERIALIZED (
    SELECT word, share
    FROM unnest(to_tsvector('{config}', $1)) AS said (word, positions, weights) LEFT JOIN known USING (word)
), stop AS MATERIALIZED (
    SELECT dictname AS language, word, share FROM pg_ts_dict CROSS JOIN said
    WHERE dictnamespace = 'pg_catalog'::regnamespace AND dictname LIKE '%\_stem' AND ts_lexize(pg_ts_dict.oid, word) = '{{}}'
), spoken AS (
    SELECT language, true AS is_spoken FROM stop GROUP BY language HAVING count(*) >= 3
    ORDER BY count(*) DESC FETCH FIRST ROW WITH TIES
), light AS (
    SELECT word FROM stop LEFT JOIN spoken USING (language)
    GROUP BY word, share
    HAVING CASE WHEN EXISTS (SELECT FROM spoken)
                THEN count(is_spoken) = (SELECT count(*) FROM spoken) AND (share > 0.01 OR NOT EXISTS (SELECT FROM known))
                ELSE share > 0.25 END
)
SELECT '''' || replace(replace(word, '\', '\\'), '''', '''''') || '''' AS quoted,
       coalesce(share, 0.0005)::float8 AS share,
       light.word IS NOT NULL AND (SELECT count(*) FROM light) < (SELECT count(*) FROM said) AS is_light
FROM said LEFT JOIN light USING (word)

-- name: worded
-- Chunks with every word come first, then those with any, by how telling their words are; a word that stands in most chunks
-- tells nothing, whatever the language.
WITH said AS MATERIALIZED (
    SELECT * FROM unnest($4::text[], $5::float8[]) AS said (quoted, share)
), telling AS MATERIALIZED (
    SELECT quoted, ln(1 + 1 / share) AS weight FROM said
    WHERE share < 0.3 OR NOT EXISTS (SELECT FROM said WHERE share < 0.3)
    ORDER BY share LIMIT 32
), asked AS MATERIALIZED (
    SELECT CASE WHEN $6 THEN (SELECT string_agg(quoted, ' & ')::tsquery FROM said)
                ELSE websearch_to_tsquery('{config}', $2) END AS every,
           (SELECT string_agg(quoted, ' | ')::tsquery FROM telling WHERE NOT $3) AS any_of
), found AS MATERIALIZED (
    (SELECT chunk.chunk_id, true AS has_every, to_tsvector('{config}', chunk.content) AS words
     FROM raglive.chunks AS chunk {files}
     WHERE to_tsvector('{config}', chunk.content) @@ (SELECT every FROM asked) AND {only}
     LIMIT 1000)
    UNION ALL
    (SELECT chunk.chunk_id, false, to_tsvector('{config}', chunk.content)
     FROM raglive.chunks AS chunk {files}
     WHERE to_tsvector('{config}', chunk.content) @@ (SELECT any_of FROM asked)
       AND NOT to_tsvector('{config}', chunk.content) @@ (SELECT every FROM asked) AND {only}
     LIMIT 2000)
), ranked AS (
    SELECT chunk_id, has_every,
           (SELECT sum(weight * ts_rank(words, quoted::tsquery, 1)) / sum(weight) FROM telling) AS rank
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
