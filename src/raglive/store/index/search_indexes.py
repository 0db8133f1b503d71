"""The indexes that make search fast: built beside the work, and away while a bulk load runs.

Search is the same without them, only slower: every chunk is looked at then. So neither a migration
nor a writer ever waits for one to be built, and a vector index does not grow row by row while
thousands of files come in.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import asyncpg
import psutil
import structlog

from raglive.store.errors import STORE_ERRORS, explain
from raglive.store.index.text_search import configuration_explained
from raglive.store.sql import load_queries

__all__ = [
    "CHUNKS",
    "SearchIndexes",
    "Standing",
    "build_vector_index",
    "count_table",
    "give_memory",
    "keep_indexes",
    "keeping_indexes",
]

log = structlog.get_logger()

_QUERIES = load_queries("index/search_indexes")

CHUNKS = "raglive.chunks"
VECTORS = "chunks_by_vector"
WORDS = "chunks_by_words_"
LEAST_NUMBERS = 10_000_000  # of all vectors together; fewer are compared in some 50 ms
MOST_DIMENSIONS = 2_000  # that pgvector indexes
BULK_FILES = 1_000
BULK_SHARE = 0.5  # of what is indexed
IDLE_FILES = 50
BUILD_SECONDS = 3 * 3600.0
STEP_SECONDS = 30.0
LEAST_COUNTED_BYTES = 4 << 20  # of a table; a smaller one is read as fast as looked up in


@dataclass(frozen=True, slots=True)
class Standing:
    """What decides over the vector index."""

    chunks: int
    dimensions: int
    waiting_files: int
    completed_files: int
    scans_widely: bool

    @property
    def is_bulk(self) -> bool:
        """Say whether so much is on its way that the index had better be built afterwards."""
        return self.waiting_files > max(BULK_FILES, BULK_SHARE * self.completed_files)

    @property
    def is_worth_it(self) -> bool:
        """Say whether comparing with every chunk would be noticed."""
        enough = self.chunks * self.dimensions >= LEAST_NUMBERS
        return self.scans_widely and enough and self.dimensions <= MOST_DIMENSIONS


class SearchIndexes:
    """Keeps the indexes as they should be; any number of processes may, one at a time does."""

    def __init__(self, dsn: str, *, config: str = "simple") -> None:
        self._dsn = dsn
        self._words = WORDS + config
        self._config = config

    async def keep_up(self) -> None:
        """Build what is missing and wanted now, and drop what is not; return when that is done.

        Raises `DatabaseUnavailable`, and the database's errors.
        """
        try:
            connection = await asyncpg.connect(self._dsn, timeout=10, statement_cache_size=0)
        except (OSError, TimeoutError, asyncpg.PostgresError) as error:
            raise explain(error, self._dsn) from error
        try:
            if await connection.fetchval(_QUERIES["lock"], timeout=STEP_SECONDS):
                with configuration_explained(self._config):
                    await self._keep_up(connection)
        finally:
            await connection.close(timeout=5)

    async def _keep_up(self, connection: asyncpg.Connection) -> None:
        await _count_outgrown(connection)
        row = await connection.fetchrow(_QUERIES["standing"], timeout=STEP_SECONDS)
        assert row is not None, "the chunks have a table"
        for name in row["broken"]:
            await self._drop(connection, name)
        valid = set(row["valid"])
        for name in valid:
            if name.startswith(WORDS) and name != self._words:
                await self._drop(connection, name)
        if self._words not in valid:
            await self._build(connection, "build_words", self._words)
        await self._keep_vectors(connection, _standing(row), is_there=VECTORS in valid)

    async def _keep_vectors(
        self, connection: asyncpg.Connection, found: Standing, *, is_there: bool
    ) -> None:
        if is_there and found.is_bulk:
            await self._drop(connection, VECTORS)
        elif not is_there and found.waiting_files <= IDLE_FILES and found.is_worth_it:
            await connection.execute(_QUERIES["load"], timeout=STEP_SECONDS)
            await connection.execute(_QUERIES["widen_matches"], timeout=STEP_SECONDS)
            await give_memory(connection, found.chunks, found.dimensions)
            await self._build(connection, "build_vectors", VECTORS)

    async def _build(self, connection: asyncpg.Connection, how: str, name: str) -> None:
        log.info("search_index_building", index=name)
        query = _QUERIES[how].format(config=self._config)
        try:
            await connection.execute(query, timeout=BUILD_SECONDS)
        except BaseException:
            log.warning("search_index_not_built", index=name)
            raise
        await count_table(connection, CHUNKS)
        log.info("search_index_built", index=name)

    async def _drop(self, connection: asyncpg.Connection, name: str) -> None:
        query = _QUERIES["drop"].format(name=name)
        await connection.execute(query, timeout=BUILD_SECONDS)
        log.info("search_index_dropped", index=name)


async def _count_outgrown(connection: asyncpg.Connection) -> None:
    """Count what a bulk load fills sooner than Postgres looks at it, once a minute.

    Plans made while there was little to read are kept, and read all of it, until then.
    """
    rows = await connection.fetch(_QUERIES["outgrown"], LEAST_COUNTED_BYTES, timeout=STEP_SECONDS)
    for row in rows:
        await count_table(connection, row["name"])


async def count_table(connection: asyncpg.Connection, table: str) -> None:
    """Have Postgres learn how much a table holds, and of what."""
    await connection.execute(_QUERIES["count"].format(table=table), timeout=BUILD_SECONDS)


async def build_vector_index(
    connection: asyncpg.Connection, query: str, *, dimensions: int
) -> None:
    """Build a vector index by `query`, if it would be worth it for vectors of such dimensions.

    One that is wanted only after a bulk load is left to the pipelines.
    """
    await count_table(connection, CHUNKS)
    row = await connection.fetchrow(_QUERIES["standing"], timeout=STEP_SECONDS)
    assert row is not None, "the chunks have a table"
    found = replace(_standing(row), dimensions=dimensions)
    if found.is_worth_it and not found.is_bulk:
        await give_memory(connection, found.chunks, dimensions)
        await connection.execute(query, timeout=BUILD_SECONDS)


def _standing(row: asyncpg.Record) -> Standing:
    return Standing(
        chunks=row["counted"],
        dimensions=row["dimensions"],
        waiting_files=row["waiting"],
        completed_files=row["completed"],
        scans_widely=row["scans_widely"],
    )


BYTES_PER_NUMBER = 4
BYTES_PER_NODE = 1_000  # of the graph, beside its vector
SHARED_MEMORY = "/dev/shm"  # noqa: S108 - only its size is read
CONTAINER = Path("/sys/fs/cgroup")


async def give_memory(connection: asyncpg.Connection, chunks: int, dimensions: int) -> None:
    """Let the session build an index of so many vectors in memory, as far as there is some.

    Only of raglive's own server it is known how much: another's setting stays, and if it is too
    little, that is logged when the index is built.
    """
    connection.add_log_listener(_tell)
    row = await connection.fetchrow(_QUERIES["build_memory"], timeout=STEP_SECONDS)
    assert row is not None, "settings have values"
    if row["is_embedded"]:
        wanted = chunks * (dimensions * BYTES_PER_NUMBER + BYTES_PER_NODE)
        given = min(wanted, _room(shared=row["shared_memory"] == "posix"))
        if given > row["allowed"]:
            size = f"{given // 1024}kB"
            await connection.execute(_QUERIES["set_memory"], size, timeout=STEP_SECONDS)


def _room(*, shared: bool) -> int:
    """Return half of the memory that is free, of the shared one if that is less."""
    room = min(int(psutil.virtual_memory().available), _left_to_container())
    if shared:
        volume = os.statvfs(SHARED_MEMORY)
        room = min(room, volume.f_frsize * volume.f_bavail)
    return room // 2


def _left_to_container() -> int:
    """Return what a container that is limited may still take, its file cache counted as taken."""
    try:
        limit = (CONTAINER / "memory.max").read_text().strip()
        taken = int((CONTAINER / "memory.current").read_text())
        return max(0, int(limit) - taken) if limit != "max" else sys.maxsize
    except (OSError, ValueError):
        return sys.maxsize


def _tell(_connection: object, message: asyncpg.PostgresLogMessage) -> None:
    if "maintenance_work_mem" in message.message:
        hint = "raise maintenance_work_mem of the database's role: docs/reference/database.md"
        log.warning("search_index_outgrows_memory", message=message.message, hint=hint)


LOOK_SECONDS = 10.0


@asynccontextmanager
async def keeping_indexes(indexes: SearchIndexes) -> AsyncIterator[None]:
    """Look after the indexes until the block ends; what is being built then is given up."""
    looking = asyncio.create_task(_look_after(indexes), name="index-upkeep")
    try:
        yield
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


async def keep_indexes(indexes: SearchIndexes) -> None:
    """Bring the indexes to where they should be; what goes wrong is logged: search does without."""
    try:
        await indexes.keep_up()
    except STORE_ERRORS as error:
        log.warning("search_indexes_not_kept", error=type(error).__name__, message=str(error))


async def _look_after(indexes: SearchIndexes) -> None:
    while True:
        await keep_indexes(indexes)
        await asyncio.sleep(LOOK_SECONDS)
