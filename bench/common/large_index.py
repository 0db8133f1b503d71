"""An index with many chunks, written as the pipelines would write it, but without its history."""

from __future__ import annotations

import random
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import numpy as np

from bench.common.documents import sentence
from raglive.embedding.builtin import MODEL
from raglive.store.index.search_indexes import SearchIndexes
from raglive.store.index.vector_space import VectorSpace, choose_vector_space
from raglive.store.pool import Database
from raglive.store.registry.pipelines import PipelineRecord

__all__ = ["BUILT_IN", "fill_index"]

BUILT_IN = VectorSpace("builtin", MODEL, 256)
CHUNKS_PER_FILE = 50
CHUNKS_AT_ONCE = 10_000
WORDS_PER_CHUNK = 150  # about a kilobyte
_FILES = """
INSERT INTO raglive.files (pipeline_key, file_id, name, state, location,
                           desired_generation, done_generation, finished_at)
SELECT $1, 'file-' || number, number || '.md', 'completed', number || '.md', 1, 1, now()
FROM generate_series(1, $2::integer) AS number RETURNING file_key
"""
_CHUNK = (
    "file_key",
    "chunk_index",
    "content",
    "content_hash",
    "start_offset",
    "end_offset",
    "embedding",
)


async def fill_index(database: Database, chunks: int) -> None:
    """Fill an empty index with distinct chunks of the built-in model; build its indexes."""
    await choose_vector_space(database, BUILT_IN)
    record = await PipelineRecord.register(database, "bench", "local_files")
    files = [
        row["file_key"]
        for row in await database.fetch(_FILES, record.key, chunks // CHUNKS_PER_FILE)
    ]
    head = "UPDATE raglive.heads SET completed = $2 WHERE pipeline_key = $1"
    await database.execute(head, record.key, len(files))
    per_batch = CHUNKS_AT_ONCE // CHUNKS_PER_FILE
    for first in range(0, len(files), per_batch):
        async with database.connection() as connection:
            await connection.copy_records_to_table(
                "chunks",
                schema_name="raglive",
                columns=_CHUNK,
                records=_rows(files[first : first + per_batch]),
            )
    for _ in range(2):  # after the first, it is known how many there are
        await SearchIndexes(database.dsn).maintain()


def _rows(files: list[int]) -> Iterator[tuple[Any, ...]]:
    for file_key in files:
        made = random.Random(file_key)  # noqa: S311 - the same index every time
        vectors = np.random.default_rng(file_key).standard_normal(
            (CHUNKS_PER_FILE, BUILT_IN.dimensions)
        )
        for index, vector in enumerate(vectors.astype(np.float32)):
            text = f"{file_key}.{index} {sentence(made, WORDS_PER_CHUNK)}"
            content_hash = sha256(text.encode()).digest()
            yield file_key, index, text, content_hash, 0, len(text), vector / np.linalg.norm(vector)
