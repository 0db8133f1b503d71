"""The index made anew with another model, beside the one that answers until then.

Each chunk gets a second vector; when none is missing, the second column takes the first one's place
in one transaction. Vectors are kept by the hash of their text until then, so that an edit, a
deletion or a kill costs nothing that was stored.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

import asyncpg

from raglive.store.errors import explain
from raglive.store.index.search_indexes import CHUNKS, build_vector_index, count_table
from raglive.store.index.vector_space import (
    ChosenSpace,
    ModelSource,
    VectorSpace,
    lock_models,
    note_source,
    read_space,
)
from raglive.store.pool import Database
from raglive.store.sql import load_queries
from raglive_contract.errors import RagliveError

__all__ = ["Missing", "ReindexRefused", "Reindexing", "reindexing"]

_QUERIES = load_queries("index/reindexing")
_SPACE = load_queries("index/vector_space")
_INDEXES = load_queries("index/search_indexes")

Result = TypeVar("Result")

LOCK_SECONDS = 3  # whoever searches behind a lock that is waited for waits as long
LOCK_TRIES = 40
OTHERS_SECONDS = 5.0
LOCK_PAUSE_SECONDS = 0.5
HELD_BACK_SECONDS = 20.0  # for pipelines that would store
BUILD_SECONDS = 3 * 3600.0
FORGOTTEN_AT_ONCE = 10_000


class ReindexRefused(RagliveError):
    """The index cannot be made anew now; the message says why and what to do."""

    code = "reindex_refused"


@dataclass(frozen=True, slots=True)
class Missing:
    """A chunk that has no vector of the next model yet."""

    chunk_id: int
    content_hash: bytes
    file_key: int
    pipeline_key: int
    content: str


@asynccontextmanager
async def reindexing(database: Database) -> AsyncIterator[Reindexing]:
    """Be the one that makes the index anew.

    Raises `ReindexRefused` when another process is, and `DatabaseUnavailable`.
    """
    if not database.listens:
        raise ReindexRefused("Set DATABASE_URL to a session connection: port 5432, not 6543.")
    try:
        connection = await asyncpg.connect(database.dsn, timeout=10, statement_cache_size=0)
    except (OSError, TimeoutError, asyncpg.PostgresError) as error:
        raise explain(error, database.dsn) from error
    try:
        await _take(connection)
        yield Reindexing(database, connection)
    finally:
        await connection.close(timeout=5)


async def _take(connection: asyncpg.Connection) -> None:
    """Take the lock that whoever was killed a moment ago may still seem to hold."""
    deadline = asyncio.get_running_loop().time() + OTHERS_SECONDS
    while not await connection.fetchval(_QUERIES["lock"]):
        if asyncio.get_running_loop().time() > deadline:
            raise ReindexRefused("Another `raglive reindex` is at work on this index.")
        await asyncio.sleep(LOCK_PAUSE_SECONDS)


class Reindexing:
    """The steps, each of which may be taken again; `connection` alone changes tables."""

    def __init__(self, database: Database, connection: asyncpg.Connection) -> None:
        self._database = database
        self._connection = connection

    async def begin(self, wanted: VectorSpace, source: ModelSource) -> ChosenSpace | None:
        """Make room for vectors of `wanted`, or find it made; None if the index is of them.

        Raises `ReindexRefused` when there is no index, or another model is under way.
        """
        if others := await self._database.fetch(_QUERIES["dependents"]):
            names = ", ".join(row["name"] for row in others)
            raise ReindexRefused(
                f"Others depend on the view `documents`, of which a column will change: {names}. "
                "Drop them now, and make them again afterwards."
            )
        return await self._changing(lambda: self._begin(wanted, source))

    async def _begin(self, wanted: VectorSpace, source: ModelSource) -> ChosenSpace | None:
        await lock_models(self._connection)
        active = await read_space(self._connection, "active_model")
        following = await read_space(self._connection, "next_model")
        if active is None:
            raise ReindexRefused("There is no index yet: the first pipeline makes it.")
        if following is not None and following.space != wanted:
            change = following.change_from(ChosenSpace(0, wanted, source))
            raise ReindexRefused(
                f"The index is being made anew with {following.space} already. "
                f"{change} to go on with that, or run "
                "`raglive reindex --give-up` first."
            )
        if active.space == wanted or following is not None:
            return following
        key = await self._connection.fetchval(
            _QUERIES["add_next"], wanted.provider, wanted.model, wanted.dimensions
        )
        await self._connection.execute(_QUERIES["type_next"].format(dimensions=wanted.dimensions))
        chosen = ChosenSpace(key, wanted, source)
        await note_source(self._connection, chosen)
        return chosen

    async def under_way(self) -> ChosenSpace | None:
        """Return what the index is being made anew with."""
        return await read_space(self._connection, "next_model")

    async def give_up(self) -> None:
        """Let go of the next model and its vectors."""
        await self._changing(lambda: self._connection.execute(_QUERIES["give_up"]))
        await self.tidy()

    async def index_missing(self) -> None:
        """See to it that what is missing is found without a look at all chunks."""
        for row in await self._connection.fetch(_QUERIES["broken_indexes"]):
            drop = _INDEXES["drop"].format(name=row["relname"])
            await self._connection.execute(drop, timeout=BUILD_SECONDS)
        await self._connection.execute(_QUERIES["index_missing"], timeout=BUILD_SECONDS)

    async def count(self) -> tuple[int, int]:
        """Return how many chunks there are, and how many of them are missing."""
        chunks = await self._database.fetchval(_QUERIES["chunks"])
        return chunks, await self._database.fetchval(_QUERIES["missing"])

    async def page(self, after: int, limit: int) -> list[Missing]:
        """Return the first missing chunks after the one with the id `after`."""
        rows = await self._database.fetch(_QUERIES["page"], after, limit)
        return [
            Missing(**{**dict(row), "content_hash": bytes(row["content_hash"])}) for row in rows
        ]

    async def fill(self, page: Sequence[Missing], space: ChosenSpace) -> None:
        """Give these chunks the vectors that are kept of their texts."""
        ends = (page[0].chunk_id - 1, page[-1].chunk_id)
        await self._database.execute(_QUERIES["fill"], *ends, space.key)

    async def index_vectors(self, space: VectorSpace) -> None:
        """Build the vector index, if there are so many chunks that search needs one."""
        await self._lock_indexes()
        await build_vector_index(
            self._connection, _QUERIES["index_next"], dimensions=space.dimensions
        )

    async def indexed(self) -> int | None:
        """Return how many vectors are in the index that is being built; None while none is."""
        done: int | None = await self._database.fetchval(_INDEXES["build_progress"])
        return done

    async def swap(self, complete: Callable[[], Awaitable[None]]) -> bool:
        """Change the index over while nobody stores; say whether it is done.

        `complete` is to give vectors to the last chunks; when it takes too long, nothing is done.
        """
        return await self._changing(lambda: self._swap(complete))

    async def _swap(self, complete: Callable[[], Awaitable[None]]) -> bool:
        connection = self._connection
        await connection.execute(_QUERIES["hold_back_writers"])
        try:
            async with asyncio.timeout(HELD_BACK_SECONDS):
                await complete()
        except TimeoutError:
            return False
        if await connection.fetchval(_QUERIES["missing"]):
            return False
        rights = await connection.fetch(_QUERIES["rights"])
        has_index = await connection.fetchval(_QUERIES["has_index"])
        await connection.execute(_QUERIES["drop_documents"])
        await connection.execute(_QUERIES["swap"])
        await connection.execute(_SPACE["make_documents"])
        for row in rights:
            await connection.execute(row["statement"])
        if has_index:
            await connection.execute(_INDEXES["load"])
            await connection.execute(_INDEXES["widen_matches"])
        return True

    async def tidy(self) -> None:
        """Prove that all chunks have a vector, and let go of what nobody needs any more."""
        if await self._connection.fetchval(_QUERIES["is_unproven"]):
            await self._connection.execute(_QUERIES["prove"], timeout=BUILD_SECONDS)
            await self._changing(lambda: self._connection.execute(_QUERIES["require"]))
        forget = _QUERIES["forget_vectors"]
        while await self._database.execute(forget, FORGOTTEN_AT_ONCE) != "DELETE 0":
            pass
        await count_table(self._connection, CHUNKS)

    async def _changing(self, change: Callable[[], Awaitable[Result]]) -> Result:
        """Change tables in a transaction; again while others use them for long."""
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
