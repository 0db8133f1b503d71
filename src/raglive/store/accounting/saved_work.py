"""What outlives an attempt that did not end well: text, vectors, and what they have cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import asyncpg

from raglive.store.index.documents import Vector
from raglive.store.index.vector_space import ChosenSpace
from raglive.store.pool import Connection, Database
from raglive.store.registry.jobs import Job
from raglive.store.sql import load_queries

__all__ = ["Kept", "Usage", "keep_indexed"]

_QUERIES = load_queries("accounting/saved_work")

KEPT_DAYS = 7
FORGOTTEN_AT_ONCE = 10_000
RESERVED_SECONDS = 900.0  # longer than from one request to the next; then its process has died
MOST_DRAFT_BYTES = 2**30  # of all drafts together


@dataclass(frozen=True, slots=True)
class Usage:
    """What was embedded: texts, tokens, and their cost in the currency of the price."""

    texts: int
    tokens: int
    cost: Decimal


class Kept:
    """Drafts, vectors and the ledger of one pipeline, for one worker process and its model."""

    def __init__(
        self, database: Database, pipeline_key: int, owner: str, space: ChosenSpace
    ) -> None:
        self._database = database
        self._pipeline_key = pipeline_key
        self._owner = owner
        self._space = space

    async def draft(self, job: Job) -> bytes | None:
        """Return what was extracted from the version of a file that a job is about."""
        content: bytes | None = await self._database.fetchval(
            _QUERIES["draft"], job.file_key, job.generation
        )
        return content

    async def keep_draft(self, job: Job, content: bytes) -> None:
        """Keep what was extracted until the file is indexed, if there is room for it."""
        await self._database.execute(
            _QUERIES["keep_draft"],
            job.file_key,
            job.generation,
            content,
            self._owner,
            MOST_DRAFT_BYTES,
        )

    async def keep_vectors(
        self,
        vectors: Sequence[tuple[bytes, Vector]],
        used: Mapping[int, Usage],
        drawn: tuple[int, Decimal] | None = None,
    ) -> None:
        """Keep vectors by the hash of their text, and note what they cost, in one transaction.

        `used`: for which file, by its key, what was used. It takes the place of what was `drawn`:
        of which reservation, and how much was reserved for it.
        """
        model = f"{self._space.space.provider} {self._space.space.model}"
        in_order = sorted(vectors, key=lambda one: one[0])  # so that nobody waits in a circle
        kept = [(self._space.key, *one) for one in in_order]
        noted = [
            (self._pipeline_key, file_key, model, usage.texts, usage.tokens, usage.cost)
            for file_key, usage in sorted(used.items())
        ]
        async with self._database.transaction() as connection:
            await connection.executemany(_QUERIES["keep_vector"], kept)
            await connection.executemany(_QUERIES["note_usage"], noted)
            if drawn is not None:
                await connection.execute(_QUERIES["draw"], *drawn, RESERVED_SECONDS)

    async def spent(self, since: date) -> Usage:
        """Return what the pipeline has used from a day (UTC) on."""
        row = await self._database.fetchrow(_QUERIES["spent"], self._pipeline_key, since)
        return _usage(row)

    async def reserve(self, cost: Decimal, budget: Decimal, since: date) -> int | None:
        """Reserve a cost within the budget, and return by which number it is let go of.

        0: there is room when others' requests have ended, if ever. None: there is not.
        """
        query = _QUERIES["reserve"]
        made: int | None = await self._database.fetchval(
            query, self._pipeline_key, since, cost, budget, RESERVED_SECONDS
        )
        return made

    async def some_wait_for_budget(self) -> bool:
        """Say whether files wait for which less is left than they cost."""
        return bool(await self._database.fetchval(_QUERIES["waits_for_budget"], self._pipeline_key))

    async def release(self, reservation: int) -> None:
        """Let go of what was reserved; what is let go of already may be again."""
        await self._database.execute(_QUERIES["release"], reservation)

    async def forget_old(self) -> None:
        """Let go of what nobody came back for."""
        forget = _QUERIES["forget_old"]
        while await self._database.execute(forget, KEPT_DAYS, FORGOTTEN_AT_ONCE) != "DELETE 0":
            pass


async def keep_indexed(connection: Connection, file_key: int) -> None:
    """Keep the vectors of a file whose chunks are about to go, but which may be retried."""
    await connection.execute(_QUERIES["keep_indexed"], file_key)


def _usage(row: asyncpg.Record | None) -> Usage:
    assert row is not None, "an aggregate has a row"
    return Usage(row["texts"], row["tokens"], Decimal(str(row["cost"])))
