-- The index: chunks with their vectors, rows of tables, and what an attempt saves until its file is indexed.

-- A model that made vectors. Vectors of two models cannot be compared, so the index holds those of the `active` one;
-- `next` is the model of a reindexing that is in progress.
CREATE TABLE raglive.embedding_models (
    model_key        integer GENERATED ALWAYS AS IDENTITY UNIQUE,
    provider         text NOT NULL,
    model            text NOT NULL,
    dimensions       integer NOT NULL CHECK (dimensions BETWEEN 1 AND 16000),
    active           boolean NOT NULL DEFAULT true,
    next             boolean NOT NULL DEFAULT false,
    -- how vectors are requested, so that a process can name the settings in which it differs
    base_url         text, -- without user name and password; null for the provider's own address
    asked_dimensions integer, -- null for the model's own number
    created_at       timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (provider, model, dimensions),
    CHECK (NOT (active AND next))
);
ALTER TABLE raglive.embedding_models ENABLE ROW LEVEL SECURITY;
CREATE UNIQUE INDEX embedding_models_one_active ON raglive.embedding_models (active) WHERE active;
CREATE UNIQUE INDEX embedding_models_one_next ON raglive.embedding_models (next) WHERE next;

-- `embedding` gets its number of dimensions when the first model is chosen, `next_embedding` while a next model exists.
-- The storage target keeps an ordinary chunk in one piece with its vector: storing takes half as long, and a search that compares
-- every chunk a third.
CREATE TABLE raglive.chunks (
    chunk_id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    file_key       bigint NOT NULL REFERENCES raglive.files ON DELETE CASCADE,
    chunk_index    integer NOT NULL CHECK (chunk_index >= 0),
    content        text NOT NULL CHECK (content <> ''),
    content_hash   bytea NOT NULL CHECK (octet_length(content_hash) = 32),
    start_offset   bigint NOT NULL, -- in characters of the extracted text
    end_offset     bigint NOT NULL,
    page           integer, -- from 1
    embedding      vector NOT NULL,
    next_embedding vector,
    UNIQUE (file_key, chunk_index)
) WITH (toast_tuple_target = 8160);
ALTER TABLE raglive.chunks ENABLE ROW LEVEL SECURITY;
CREATE INDEX chunks_by_content ON raglive.chunks (content_hash);

-- A row of a table in a file.
CREATE TABLE raglive.dataset_rows (
    row_id    bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    file_key  bigint NOT NULL REFERENCES raglive.files ON DELETE CASCADE,
    dataset   text NOT NULL DEFAULT '',
    row_index integer NOT NULL,
    row_data  jsonb NOT NULL,
    UNIQUE (file_key, dataset, row_index)
);
ALTER TABLE raglive.dataset_rows ENABLE ROW LEVEL SECURITY;

-- The text extracted from one version of a file, until that version is indexed.
CREATE TABLE raglive.drafts (
    file_key   bigint PRIMARY KEY REFERENCES raglive.files ON DELETE CASCADE,
    generation bigint NOT NULL,
    content    bytea NOT NULL,
    made_at    timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE raglive.drafts ALTER COLUMN content SET STORAGE EXTERNAL; -- the content is compressed already
ALTER TABLE raglive.drafts ENABLE ROW LEVEL SECURITY;

-- The cache of vectors that no chunk holds yet, by model and the hash of their text.
CREATE TABLE raglive.cached_vectors (
    model_key    integer NOT NULL REFERENCES raglive.embedding_models (model_key) ON DELETE CASCADE,
    content_hash bytea NOT NULL CHECK (octet_length(content_hash) = 32),
    embedding    vector NOT NULL,
    made_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (model_key, content_hash)
);
ALTER TABLE raglive.cached_vectors ENABLE ROW LEVEL SECURITY;
CREATE INDEX cached_vectors_by_age ON raglive.cached_vectors (made_at);

-- Returns whether vectors of a model may be stored. If so, the active model cannot change until the transaction ends, because a
-- change takes this lock exclusively. VOLATILE, so that the query sees what was committed while it waited for the lock.
CREATE FUNCTION raglive.holds_model(key integer) RETURNS boolean LANGUAGE plpgsql VOLATILE AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtextextended('raglive.active_model', 0));
    RETURN EXISTS (SELECT FROM raglive.embedding_models WHERE active AND model_key = key);
END $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA raglive FROM PUBLIC;
