"""Re-embeds the index with another model, and switches to it when no chunk is missing."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from raglive.embedding import Embedder, EmbeddingError
from raglive.embedding.budget import Budget, BudgetConfig, BudgetSpent
from raglive.embedding.cached_embedder import CachedEmbedder, VectorLookup
from raglive.store.accounting.spending import Spending
from raglive.store.errors import retry_transient
from raglive.store.index.reindexing import MissingVector, Reindexing
from raglive.store.index.vector_cache import VectorCache
from raglive.store.index.vector_space import ChosenSpace
from raglive.store.pool import Database
from raglive_contract.backoff import Backoff
from raglive_contract.errors import RagliveError

__all__ = ["ReindexProgress", "Reindexer"]

Result = TypeVar("Result")

PAGE_CHUNKS = 1_000
PASSES = 5  # over chunks stored meanwhile; the last ones are embedded while storing is blocked
SWITCH_ATTEMPTS = 100
PROVIDER_TIMEOUT_SECONDS = 900.0
DATABASE_TIMEOUT_SECONDS = 60.0
FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
BUILD_POLL_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class ReindexProgress:
    """Chunks that have a new vector, of all chunks; `note` describes the current step."""

    done: int
    chunks: int
    note: str


@dataclass(slots=True)
class Reindexer:
    """One run. A run that is interrupted is continued by the next one."""

    database: Database
    store: Reindexing
    embedder: Embedder
    space: ChosenSpace
    budget: BudgetConfig
    on_progress: Callable[[ReindexProgress], None]
    _chunks: int = 0
    _done: int = 0
    _embedders: dict[int, CachedEmbedder] = field(default_factory=dict)

    async def run(self) -> int:
        """Re-embed every chunk, switch the index over, and return the number of chunks.

        Raises `BudgetSpent`, `EmbeddingError`, `ReindexRefused`, and the database's errors.
        """
        await self.store.index_missing()
        await self._catch_up()
        await self._build_index()
        for _ in range(SWITCH_ATTEMPTS):
            await self._catch_up()
            self._report("switching over")
            if await self.store.swap(self._complete):
                self._report("cleaning up")
                await self.store.tidy()
                return self._chunks
        raise RagliveError(
            "Files are stored faster than they can be re-embedded. The new vectors are kept: run "
            "`raglive reindex` again when fewer files change.",
            retryable=True,
        )

    async def _build_index(self) -> None:
        """Build the vector index, and report its progress."""
        building = asyncio.create_task(self.store.index_vectors(self.space.space))
        try:
            while not building.done():
                indexed = await _retried(self.store.indexed)
                if indexed is not None:
                    self._done = indexed
                    self._report("building the vector index")
                await asyncio.wait({building}, timeout=BUILD_POLL_SECONDS)
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
        """Embed the chunks that have no new vector yet; return how many those were.

        Each page is stored while the next one is embedded.
        """
        self._chunks, missing = await _retried(self.store.count)
        self._done = self._chunks - missing
        after = found = 0
        filling: asyncio.Task[None] | None = None
        try:
            while page := await _retried(partial(self.store.page, after, PAGE_CHUNKS)):
                self._report("embedding")
                await self._embed_with_retries(page)
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
        self._report("embedding")
        return found

    async def _fill(self, page: Sequence[MissingVector]) -> None:
        """Store a page's vectors over two connections, as updating every index is CPU-bound."""
        half = (len(page) + 1) // 2
        halves = [part for part in (page[:half], page[half:]) if part]
        stored = await asyncio.gather(
            *(_retried(partial(self.store.fill, part, self.space)) for part in halves),
            return_exceptions=True,
        )
        for error in stored:
            if error is not None:
                raise error
        self._done = min(self._done + len(page), self._chunks)

    async def _embed_with_retries(self, page: Sequence[MissingVector]) -> None:
        """Embed a page and save its vectors, waiting while the provider is unavailable."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + PROVIDER_TIMEOUT_SECONDS
        backoff = Backoff(FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS)
        for failures in itertools.count():
            try:
                for key in {one.pipeline_key for one in page}:
                    await self._embed(key, [one for one in page if one.pipeline_key == key])
            except EmbeddingError as error:
                if not error.retryable or loop.time() > deadline:
                    raise
                self._report(f"waiting: {error.message}")
                await asyncio.sleep(backoff.seconds(failures, error.retry_after_seconds))
            else:
                return

    async def _embed(self, pipeline_key: int, chunks: Sequence[MissingVector]) -> None:
        embedder = self._embedder_of(pipeline_key)
        texts = {one.content_hash: one.content for one in chunks}
        payers = {one.content_hash: one.file_key for one in chunks}
        try:
            await embedder.vectors(texts, payers, lambda _: None)
        except BudgetSpent as spent:
            raise BudgetSpent(
                f"{spent.message} The new vectors are kept. Raise RAGLIVE_EMBEDDING_BUDGET, or "
                "wait until its day or month ends, and run `raglive reindex` again."
            ) from spent

    def _embedder_of(self, pipeline_key: int) -> CachedEmbedder:
        """Return the embedder that charges one pipeline's budget."""
        if pipeline_key not in self._embedders:
            spending = Spending(self.database, pipeline_key)
            cache = VectorCache(self.database, self.space)
            self._embedders[pipeline_key] = CachedEmbedder(
                self.embedder,
                VectorLookup(cache),
                cache,
                spending,
                Budget(spending, self.budget),
                piecemeal=True,
            )
        return self._embedders[pipeline_key]

    def _report(self, note: str) -> None:
        self.on_progress(ReindexProgress(self._done, self._chunks, note))


async def _retried(operation: Callable[[], Awaitable[Result]]) -> Result:
    return await retry_transient(
        operation, within_seconds=DATABASE_TIMEOUT_SECONDS, what="re-embedding the index"
    )
