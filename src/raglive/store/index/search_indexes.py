"""The indexes that make search fast; pipelines build them in the background.

Search returns the same without them, only slower, because it compares every chunk. So neither a
migration nor a writer waits for an index, and a bulk load of thousands of files need not update a
vector index row by row: it is dropped before and built afterwards.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace

import asyncpg
import structlog

from raglive.store.errors import STORE_ERRORS, explain
from raglive.store.index.build_memory import raise_build_memory
from raglive.store.index.index_statistics import (
    BUILD_SECONDS,
    CHUNKS,
    STEP_SECONDS,
    IndexStatistics,
    analyze_outgrown,
    analyze_table,
    read_statistics,
)
from raglive.store.index.text_search import explain_configuration_errors
from raglive.store.sql import load_queries

__all__ = [
    "SearchIndexes",
    "build_vector_index",
    "drop_index",
    "maintain_indexes",
    "maintain_indexes_regularly",
    "prepare_match_scan",
    "vectors_indexed",
]

log = structlog.get_logger()

_QUERIES = load_queries(__name__)

VECTORS = "chunks_by_vector"
WORDS = "chunks_by_words_"
IDLE_FILES = 50  # a bulk load is over when fewer files wait
CHECK_SECONDS = 10.0


class SearchIndexes:
    """Builds and drops the indexes; one process at a time does, however many call it."""

    def __init__(self, dsn: str, *, config: str = "simple") -> None:
        self._dsn = dsn
        self._words = WORDS + config
        self._config = config

    async def maintain(self) -> None:
        """Build the indexes that are missing, and drop those that should not exist.

        Returns when they are built. Raises `DatabaseUnavailable` and the database's errors.
        """
        try:
            connection = await asyncpg.connect(self._dsn, timeout=10, statement_cache_size=0)
        except (OSError, TimeoutError, asyncpg.PostgresError) as error:
            raise explain(error, self._dsn) from error
        try:
            if await connection.fetchval(_QUERIES["lock"], timeout=STEP_SECONDS):
                with explain_configuration_errors(self._config):
                    await self._maintain(connection)
        finally:
            await connection.close(timeout=5)

    async def _maintain(self, connection: asyncpg.Connection) -> None:
        await analyze_outgrown(connection)
        statistics = await read_statistics(connection)
        for name in statistics.invalid:
            await self._drop(connection, name)
        for name in statistics.valid:
            if name.startswith(WORDS) and name != self._words:
                await self._drop(connection, name)
        if self._words not in statistics.valid:
            await self._build(connection, "build_words", self._words)
        await self._maintain_vectors(connection, statistics)

    async def _maintain_vectors(
        self, connection: asyncpg.Connection, statistics: IndexStatistics
    ) -> None:
        is_built = VECTORS in statistics.valid
        is_idle = statistics.waiting_files <= IDLE_FILES
        if is_built and statistics.is_bulk_load:
            await self._drop(connection, VECTORS)
        elif not is_built and is_idle and statistics.needs_vector_index:
            await prepare_match_scan(connection)
            await raise_build_memory(connection, statistics.chunks, statistics.dimensions)
            await self._build(connection, "build_vectors", VECTORS)

    async def _build(self, connection: asyncpg.Connection, how: str, name: str) -> None:
        log.info("search_index_building", index=name)
        query = _QUERIES[how].format(config=self._config)
        try:
            await connection.execute(query, timeout=BUILD_SECONDS)
        except BaseException:
            log.warning("search_index_not_built", index=name)
            raise
        await analyze_table(connection, CHUNKS)
        log.info("search_index_built", index=name)

    async def _drop(self, connection: asyncpg.Connection, name: str) -> None:
        await drop_index(connection, name)
        log.info("search_index_dropped", index=name)


async def drop_index(connection: asyncpg.Connection, name: str) -> None:
    """Drop an index of the schema `raglive` without blocking writers."""
    await connection.execute(_QUERIES["drop"].format(name=name), timeout=BUILD_SECONDS)


async def prepare_match_scan(connection: asyncpg.Connection) -> None:
    """Let `match_documents` scan a vector index until it has as many matches as asked for."""
    await connection.execute(_QUERIES["load_extension"], timeout=STEP_SECONDS)
    await connection.execute(_QUERIES["widen_match_scan"], timeout=STEP_SECONDS)


async def vectors_indexed(
    connection: asyncpg.Connection | asyncpg.pool.PoolConnectionProxy,
) -> int | None:
    """Return how many vectors the index that is being built holds; None if none is built."""
    count: int | None = await connection.fetchval(_QUERIES["build_progress"])
    return count


async def build_vector_index(
    connection: asyncpg.Connection, query: str, *, dimensions: int
) -> None:
    """Build a vector index with `query` if the number of vectors requires one.

    During a bulk load it is left to the pipelines, which build it afterwards.
    """
    await analyze_table(connection, CHUNKS)
    statistics = replace(await read_statistics(connection), dimensions=dimensions)
    if statistics.needs_vector_index and not statistics.is_bulk_load:
        await raise_build_memory(connection, statistics.chunks, dimensions)
        await connection.execute(query, timeout=BUILD_SECONDS)


async def maintain_indexes(indexes: SearchIndexes) -> None:
    """Maintain the indexes once; errors are logged only, because search works without them."""
    try:
        await indexes.maintain()
    except STORE_ERRORS as error:
        log.warning("search_indexes_not_maintained", error=type(error).__name__, message=str(error))


async def maintain_indexes_regularly(indexes: SearchIndexes) -> None:
    """Maintain the indexes until cancelled; a build in progress is then cancelled too."""
    while True:
        await maintain_indexes(indexes)
        await asyncio.sleep(CHECK_SECONDS)
