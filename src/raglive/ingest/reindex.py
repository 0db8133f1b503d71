"""Makes the index anew with another model, and changes over when no chunk is missing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from raglive.embedding import Embedder, EmbeddingError
from raglive.embedding.budget import Budget, BudgetSpent, Price
from raglive.embedding.reuse import EmbedOnce, StoredVectors
from raglive.store.accounting.spending import Spending
from raglive.store.errors import retry_transient
from raglive.store.index.reindexing import MissingVector, Reindexing
from raglive.store.index.vector_cache import VectorCache
from raglive.store.index.vector_space import ChosenSpace
from raglive.store.pool import Database
from raglive_contract.errors import RagliveError

__all__ = ["ReindexProgress", "Reindexer"]

Result = TypeVar("Result")

PAGE_CHUNKS = 1_000
PASSES = 5  # over what is stored meanwhile; the rest is embedded while nobody stores
CHANGES = 100
PROVIDER_PATIENCE_SECONDS = 900.0
DATABASE_PATIENCE_SECONDS = 60.0
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
LOOK_SECONDS = 1.0  # at an index that is being built


@dataclass(frozen=True, slots=True)
class ReindexProgress:
    """How far it is, in chunks; `note` is what it does, or waits for."""

    done: int
    chunks: int
    note: str


@dataclass(slots=True)
class Reindexer:
    """One run. What it has stored is found by the next one, if this one does not end well."""

    database: Database
    store: Reindexing
    embedder: Embedder
    space: ChosenSpace
    price: Price
    tell: Callable[[ReindexProgress], None]
    _chunks: int = 0
    _done: int = 0
    _embedding: dict[int, EmbedOnce] = field(default_factory=dict)

    async def run(self) -> int:
        """Return how many chunks there are when the index is changed over.

        Raises `BudgetSpent`, `EmbeddingError`, `ReindexRefused`, and the database's errors.
        """
        await self.store.index_missing()
        await self._catch_up()
        await self._build_index()
        for _ in range(CHANGES):
            await self._catch_up()
            self._say("changing over")
            if await self.store.swap(self._complete):
                self._say("tidying up")
                await self.store.tidy()
                return self._chunks
        raise RagliveError(
            "Files are stored faster than they can be embedded anew. What is embedded is kept: "
            "run `raglive reindex` again when there are fewer.",
            retryable=True,
        )

    async def _build_index(self) -> None:
        """Build the vector index, and tell how far it is."""
        building = asyncio.create_task(self.store.index_vectors(self.space.space))
        try:
            while not building.done():
                indexed = await _patiently(self.store.indexed)
                if indexed is not None:
                    self._done = indexed
                    self._say("building the vector index")
                await asyncio.wait({building}, timeout=LOOK_SECONDS)
            building.result()
        finally:
            building.cancel()
            await asyncio.gather(building, return_exceptions=True)
        self._done = self._chunks

    async def _catch_up(self) -> None:
        for _ in range(PASSES):
            if await self._pass() < PAGE_CHUNKS:
                return

    async def _complete(self) -> None:
        while await self._pass():
            pass

    async def _pass(self) -> int:
        """Give vectors to the chunks that have none; return how many those were.

        While one page is stored, the next is embedded.
        """
        self._chunks, missing = await _patiently(self.store.count)
        self._done = self._chunks - missing
        after = found = 0
        filling: asyncio.Task[None] | None = None
        try:
            while page := await _patiently(partial(self.store.page, after, PAGE_CHUNKS)):
                self._say("embedding")
                await self._embed_patiently(page)
                if filling is not None:
                    await filling
                filling = asyncio.create_task(self._fill(page))
                after = page[-1].chunk_id
                found += len(page)
            if filling is not None:
                await filling
        finally:
            if filling is not None:
                filling.cancel()
                await asyncio.gather(filling, return_exceptions=True)
        self._say("embedding")
        return found

    async def _fill(self, page: Sequence[MissingVector]) -> None:
        """Store a page's vectors: two processes of the database put rows into all indexes."""
        half = (len(page) + 1) // 2
        halves = [part for part in (page[:half], page[half:]) if part]
        stored = await asyncio.gather(
            *(_patiently(partial(self.store.fill, part, self.space)) for part in halves),
            return_exceptions=True,
        )
        for error in stored:
            if error is not None:
                raise error
        self._done = min(self._done + len(page), self._chunks)

    async def _embed_patiently(self, page: Sequence[MissingVector]) -> None:
        """See to it that the page's vectors are kept, waiting for a provider that is away."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PROVIDER_PATIENCE_SECONDS
        pause = FIRST_PAUSE_SECONDS
        while True:
            try:
                for key in {one.pipeline_key for one in page}:
                    await self._embed(key, [one for one in page if one.pipeline_key == key])
            except EmbeddingError as error:
                if not error.retryable or loop.time() > deadline:
                    raise
                self._say(f"waiting: {error.message}")
                asked = min(error.retry_after_seconds or 0.0, LONGEST_PAUSE_SECONDS)
                await asyncio.sleep(max(pause, asked))
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            else:
                return

    async def _embed(self, pipeline_key: int, chunks: Sequence[MissingVector]) -> None:
        once = self._once(pipeline_key)
        texts = {one.content_hash: one.content for one in chunks}
        payers = {one.content_hash: one.file_key for one in chunks}
        try:
            await once.vectors(texts, payers, lambda _: None)
        except BudgetSpent as spent:
            raise BudgetSpent(
                f"{spent.message} What is embedded is kept. Raise RAGLIVE_EMBEDDING_BUDGET, or "
                "wait until its day or month ends, and run it again."
            ) from spent

    def _once(self, pipeline_key: int) -> EmbedOnce:
        """Return what embeds at the expense of one pipeline."""
        if pipeline_key not in self._embedding:
            spending = Spending(self.database, pipeline_key)
            cache = VectorCache(self.database, self.space)
            self._embedding[pipeline_key] = EmbedOnce(
                self.embedder,
                StoredVectors(cache),
                cache,
                spending,
                Budget(spending, self.price),
                piecemeal=True,
            )
        return self._embedding[pipeline_key]

    def _say(self, note: str) -> None:
        self.tell(ReindexProgress(self._done, self._chunks, note))


async def _patiently(operation: Callable[[], Awaitable[Result]]) -> Result:
    return await retry_transient(
        operation, within_seconds=DATABASE_PATIENCE_SECONDS, what="making the index anew"
    )
