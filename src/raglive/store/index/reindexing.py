"""Reindexing: replaces the vectors of the index by those of another model; search keeps working.

Each chunk gets a second vector. When none is missing, one transaction replaces the first column by
the second. Until then the cache holds the new vectors by the hash of their text, so that no edit,
deletion or crash makes a text be embedded again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

import asyncpg

from raglive.store.errors import explain, place_of
from raglive.store.index.index_statistics import BUILD_SECONDS, CHUNKS, analyze_table
from raglive.store.index.model_source import ModelSource
from raglive.store.index.search_indexes import (
    build_vector_index,
    drop_index,
    prepare_match_scan,
    vectors_indexed,
)
from raglive.store.index.vector_space import (
    ChosenSpace,
    VectorSpace,
    create_documents_view,
    lock_models,
    read_space,
    save_source,
)
from raglive.store.pool import Database
from raglive.store.sql import load_queries
from raglive_contract.errors import ErrorCode, RagliveError

__all__ = ["MissingVector", "ReindexRefused", "Reindexing", "reindexing"]

_QUERIES = load_queries(__name__)

Result = TypeVar("Result")

LOCK_SECONDS = 3  # a search that queues behind the awaited lock is delayed by as much
LOCK_TRIES = 40
OTHER_PROCESS_SECONDS = 5.0
LOCK_PAUSE_SECONDS = 0.5
BLOCKED_SECONDS = 20.0  # for pipelines that want to store
BATCH_ROWS = 10_000


class ReindexRefused(RagliveError):
    """The index cannot be rebuilt now; the message says why and what to do."""

    code = ErrorCode.REINDEX_REFUSED


@dataclass(frozen=True, slots=True)
class MissingVector:
    """A chunk that has no vector of the next model yet."""

    chunk_id: int
    content_hash: bytes
    file_key: int
    pipeline_key: int
    content: str


@asynccontextmanager
async def reindexing(database: Database) -> AsyncIterator[Reindexing]:
    """Hold the lock of reindexing for the block.

    Raises `ReindexRefused` if another process holds it, and `DatabaseUnavailable`.
    """
    if not database.listens:
        raise ReindexRefused(
            f"{place_of(database.dsn)} is a transaction pooler, and reindexing needs one session "
            "for the whole run. Set DATABASE_URL to the database's own address or to a session "
            "pooler (Supabase: port 5432)."
        )
    try:
        connection = await asyncpg.connect(database.dsn, timeout=10, statement_cache_size=0)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        raise explain(error, database.dsn) from error
    try:
        await _lock(connection)
        yield Reindexing(database, connection)
    finally:
        await connection.close(timeout=5)


async def _lock(connection: asyncpg.Connection) -> None:
    """Take the lock, waiting a while for the session of a process that was just killed to end."""
    deadline = asyncio.get_running_loop().time() + OTHER_PROCESS_SECONDS
    while not await connection.fetchval(_QUERIES["lock"]):
        if asyncio.get_running_loop().time() > deadline:
            raise ReindexRefused("Another `raglive reindex` is running on this index.")
        await asyncio.sleep(LOCK_PAUSE_SECONDS)


class Reindexing:
    """The steps of reindexing, each idempotent; only `connection` alters tables."""

    def __init__(self, database: Database, connection: asyncpg.Connection) -> None:
        self._database = database
        self._connection = connection

    async def begin(self, wanted: VectorSpace, source: ModelSource) -> ChosenSpace | None:
        """Begin with a model, or continue with it; return None if the index already has it.

        Raises `ReindexRefused` if there is no index, or if another model was begun.
        """
        if others := await self._database.fetch(_QUERIES["dependents"]):
            names = ", ".join(row["name"] for row in others)
            raise ReindexRefused(
                f"Other objects depend on the view `documents`, whose column will change: {names}. "
                "Drop them now, and create them again afterwards."
            )
        return await self._alter(lambda: self._begin(wanted, source))

    async def _begin(self, wanted: VectorSpace, source: ModelSource) -> ChosenSpace | None:
        await lock_models(self._connection)
        active = await read_space(self._connection, "active_model")
        following = await read_space(self._connection, "next_model")
        if active is None:
            raise ReindexRefused("There is no index yet: the first pipeline creates it.")
        if following is not None and following.space != wanted:
            change = following.change_from(ChosenSpace(0, wanted, source))
            raise ReindexRefused(
                f"The index is already being rebuilt with {following.space}. "
                f"{change} to continue with it, or run "
                "`raglive reindex --abort` first."
            )
        if active.space == wanted or following is not None:
            return following
        key = await self._connection.fetchval(
            _QUERIES["add_next"], wanted.provider, wanted.model, wanted.dimensions
        )
        await self._connection.execute(_QUERIES["type_next"].format(dimensions=wanted.dimensions))
        chosen = ChosenSpace(key, wanted, source)
        await save_source(self._connection, chosen)
        return chosen

    async def next_space(self) -> ChosenSpace | None:
        """Return the space of an unfinished run, None if there is none."""
        return await read_space(self._connection, "next_model")

    async def abort(self) -> None:
        """Discard the next model and its vectors."""
        await self._alter(lambda: self._connection.execute(_QUERIES["abort"]))
        await self.tidy()

    async def index_missing(self) -> None:
        """Build the index with which `page` finds missing vectors without scanning all chunks."""
        for row in await self._connection.fetch(_QUERIES["broken_indexes"]):
            await drop_index(self._connection, row["relname"])
        await self._connection.execute(_QUERIES["index_missing"], timeout=BUILD_SECONDS)

    async def count(self) -> tuple[int, int]:
        """Return the number of chunks, and how many of them miss their next vector."""
        chunks = await self._database.fetchval(_QUERIES["chunks"])
        return chunks, await self._database.fetchval(_QUERIES["missing"])

    async def page(self, after: int, limit: int) -> list[MissingVector]:
        """Return at most `limit` chunks without a next vector, after the id `after`, in order."""
        rows = await self._database.fetch(_QUERIES["page"], after, limit)
        return [
            MissingVector(**{**dict(row), "content_hash": bytes(row["content_hash"])})
            for row in rows
        ]

    async def fill(self, page: Sequence[MissingVector], space: ChosenSpace) -> None:
        """Set the next vectors of these chunks from the cache."""
        ends = (page[0].chunk_id - 1, page[-1].chunk_id)
        await self._database.execute(_QUERIES["fill"], *ends, space.key)

    async def index_vectors(self, space: VectorSpace) -> None:
        """Build the index of the next vectors, if their number requires one for search."""
        await self._lock_indexes()
        await build_vector_index(
            self._connection, _QUERIES["index_next"], dimensions=space.dimensions
        )

    async def indexed(self) -> int | None:
        """Return how many vectors the index that is being built holds; None if none is built."""
        async with self._database.connection() as connection:
            return await vectors_indexed(connection)

    async def swap(self, complete: Callable[[], Awaitable[None]]) -> bool:
        """Replace the vectors by the next ones while writers are blocked; return whether it did.

        `complete` sets the last missing vectors. If it takes too long, nothing is changed.
        """
        return await self._alter(lambda: self._swap(complete))

    async def _swap(self, complete: Callable[[], Awaitable[None]]) -> bool:
        connection = self._connection
        await connection.execute(_QUERIES["block_writers"])
        try:
            async with asyncio.timeout(BLOCKED_SECONDS):
                await complete()
        except TimeoutError:
            return False
        if await connection.fetchval(_QUERIES["missing"]):
            return False
        rights = await connection.fetch(_QUERIES["rights"])
        has_index = await connection.fetchval(_QUERIES["has_index"])
        await connection.execute(_QUERIES["drop_documents"])
        await connection.execute(_QUERIES["swap"])
        await create_documents_view(connection)
        for row in rights:
            await connection.execute(row["statement"])
        if has_index:
            await prepare_match_scan(connection)
        return True

    async def tidy(self) -> None:
        """Validate that every chunk has a vector, and delete what is no longer needed."""
        if await self._connection.fetchval(_QUERIES["is_unvalidated"]):
            await self._connection.execute(_QUERIES["validate"], timeout=BUILD_SECONDS)
            await self._alter(lambda: self._connection.execute(_QUERIES["require_vectors"]))
        await self._database.execute_in_batches(_QUERIES["delete_cached"], BATCH_ROWS)
        await analyze_table(self._connection, CHUNKS)

    async def _alter(self, change: Callable[[], Awaitable[Result]]) -> Result:
        """Alter tables in a transaction; retry while long transactions hold their locks."""
        for _ in range(LOCK_TRIES):
            try:
                async with self._connection.transaction():
                    await self._connection.execute(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
                    return await change()
            except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
                await asyncio.sleep(LOCK_PAUSE_SECONDS)
        raise ReindexRefused(
            "Others keep the index in use in long transactions. Nothing is lost: run `raglive "
            "reindex` again when they have ended.",
            retryable=True,
        )

    async def _lock_indexes(self) -> None:
        """Wait until no pipeline builds an index of the chunks, and let none begin."""
        lock = _QUERIES["lock_indexes"]
        async with asyncio.timeout(BUILD_SECONDS):
            while not await self._connection.fetchval(lock):  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(LOCK_PAUSE_SECONDS)
