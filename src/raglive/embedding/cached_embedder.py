"""Embeds each text once: looks up stored vectors, and saves new ones before they are stored."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import islice

from raglive.embedding.budget import Budget
from raglive.embedding.embedder import Embedder
from raglive.store.accounting.spending import Draw, Spending, Usage
from raglive.store.errors import retry_transient
from raglive.store.index.vector_cache import Vector, VectorCache
from raglive_contract.errors import RagliveError

__all__ = ["CachedEmbedder", "VectorLookup"]

DATABASE_TIMEOUT_SECONDS = 120.0
REQUESTS_PER_FILE = 4

_Awaited = asyncio.Future[Vector | None]
_Batches = Iterator[tuple[Sequence[bytes], list[str]]]


@dataclass(frozen=True, slots=True)
class CachedEmbedder:
    """Looks up and creates vectors by content hash, coalescing files that hold the same text.

    Paid vectors are saved until their file is stored, and texts are only embedded if the budget
    covers all of them. With `piecemeal`, free vectors are saved too, and the budget is checked for
    each request.
    """

    embedder: Embedder
    stored: VectorLookup
    cache: VectorCache
    spending: Spending
    budget: Budget
    piecemeal: bool = False
    _in_flight: dict[bytes, _Awaited] = field(default_factory=dict)

    async def vectors(
        self,
        texts: Mapping[bytes, str],
        payers: Mapping[bytes, int],
        on_share: Callable[[float], None],
    ) -> tuple[dict[bytes, Vector], int]:
        """Return a vector for each text, and how many vectors are new.

        `payers` maps each text to the key of the file that is charged for it. `on_share` is called
        with the share (0 to 1) that is done. Raises `EmbeddingError` and `BudgetSpent`; vectors
        embedded before the error are saved.
        """
        found: dict[bytes, Vector] = {}
        embedded = 0
        while missing := [content_hash for content_hash in texts if content_hash not in found]:
            others = {it: self._in_flight[it] for it in missing if it in self._in_flight}
            own = self._claim([it for it in missing if it not in others])
            try:
                found.update(await self._stored(list(own)))
                new = {it: texts[it] for it in own if it not in found}
                async with self._reserved(list(new.values()), unless=self.piecemeal) as reservation:
                    await self._embed(new, payers, found, on_share, reservation)
                embedded += len(new)
            finally:
                self._release(own, found)
            await _gather(others, found)
        return found, embedded

    def _claim(self, hashes: Sequence[bytes]) -> dict[bytes, _Awaited]:
        loop = asyncio.get_running_loop()
        own: dict[bytes, _Awaited] = {it: loop.create_future() for it in hashes}
        self._in_flight.update(own)
        return own

    def _release(self, own: Mapping[bytes, _Awaited], found: Mapping[bytes, Vector]) -> None:
        for content_hash, awaited in own.items():
            del self._in_flight[content_hash]
            awaited.set_result(found.get(content_hash))

    async def _stored(self, hashes: list[bytes]) -> dict[bytes, Vector]:
        if not hashes:
            return {}
        return await retry_transient(
            lambda: self.stored.find(hashes),
            within_seconds=DATABASE_TIMEOUT_SECONDS,
            what="looking up embeddings",
        )

    def _reserved(
        self, texts: Sequence[str], *, unless: bool
    ) -> AbstractAsyncContextManager[int | None]:
        if unless or not texts or not self.embedder.is_paid:
            return nullcontext()
        return self.budget.reserved(texts)

    async def _embed(
        self,
        texts: Mapping[bytes, str],
        payers: Mapping[bytes, int],
        found: dict[bytes, Vector],
        on_share: Callable[[float], None],
        reservation: int | None,
    ) -> None:
        """Embed in a few concurrent requests; after a failure those in flight are completed."""
        done = 0
        failures: list[Exception] = []
        batches = self._batches(texts)

        async def work() -> None:
            nonlocal done
            try:
                for hashes, batch in batches:
                    made = await self._embed_batch(hashes, batch, payers, reservation)
                    found.update(made)
                    done += len(made)
                    on_share(done / len(texts))
                    if failures:
                        return
            except Exception as error:
                failures.append(error)

        at_once = min(REQUESTS_PER_FILE, len(texts))
        await asyncio.gather(*(work() for _ in range(at_once)))
        if failures:
            raise min(failures, key=_is_retryable)

    def _batches(self, texts: Mapping[bytes, str]) -> _Batches:
        hashes = iter(texts)
        for batch in self.embedder.batches(list(texts.values())):
            yield list(islice(hashes, len(batch))), batch

    async def _embed_batch(
        self,
        hashes: Sequence[bytes],
        batch: list[str],
        payers: Mapping[bytes, int],
        whole: int | None,
    ) -> dict[bytes, Vector]:
        tokens: list[int] = []
        async with self._reserved(batch, unless=not self.piecemeal) as own:
            vectors = await self.embedder.embed(batch, on_tokens=tokens.append)
            made = list(zip(hashes, vectors, strict=True))
            if self.embedder.is_paid or self.piecemeal:
                paid = [payers[it] for it in hashes] if self.embedder.is_paid else []
                used = self._usage(paid, batch, sum(tokens))
                await retry_transient(
                    lambda: self.cache.add(
                        made, self.spending, used, self._drawn(own or whole, batch)
                    ),
                    within_seconds=DATABASE_TIMEOUT_SECONDS,
                    what="saving vectors",
                )
        return dict(made)

    def _drawn(self, reservation: int | None, batch: Sequence[str]) -> Draw | None:
        return None if reservation is None else Draw(reservation, self.budget.estimate(batch))

    def _usage(self, payers: Sequence[int], batch: Sequence[str], tokens: int) -> dict[int, Usage]:
        """Divide the tokens of a request among its files by their share of the bytes."""
        used: dict[int, Usage] = {}
        left_tokens, left_bytes = tokens, sum(len(text.encode()) for text in batch)
        for payer, text in zip(payers, batch, strict=False):
            size = len(text.encode())
            own = left_tokens * size // max(left_bytes, 1)
            left_tokens, left_bytes = left_tokens - own, left_bytes - size
            before = used.get(payer, Usage(0, 0, Decimal(0)))
            cost = before.cost + self.budget.config.cost_of(own)
            used[payer] = Usage(before.texts + 1, before.tokens + own, cost)
        return used


def _is_retryable(error: Exception) -> bool:
    """Order errors so that one that no retry can fix is reported first."""
    return error.retryable if isinstance(error, RagliveError) else True


async def _gather(others: Mapping[bytes, _Awaited], found: dict[bytes, Vector]) -> None:
    """Wait for vectors that other files embed; their failures are left out of `found`."""
    if others:
        await asyncio.wait(others.values())  # each ends with a request, which has a time-out
    for content_hash, awaited in others.items():
        vector = awaited.result()
        if vector is not None:
            found[content_hash] = vector


@dataclass(slots=True, eq=False)
class _LookupBatch:
    hashes: set[bytes] = field(default_factory=set)
    vectors: dict[bytes, Vector] | None = None


class VectorLookup:
    """Looks up stored vectors with one query at a time; callers that wait share the next query."""

    def __init__(self, cache: VectorCache) -> None:
        self._cache = cache
        self._turn = asyncio.Lock()
        self._next = _LookupBatch()

    async def find(self, content_hashes: Sequence[bytes]) -> dict[bytes, Vector]:
        """Return the stored vectors among `content_hashes`. Raises the database's errors."""
        batch = self._next
        batch.hashes.update(content_hashes)
        async with self._turn:
            if self._next is batch:
                self._next = _LookupBatch()
            if batch.vectors is None:  # not queried yet, or the query failed
                asked = list(batch.hashes)
                batch.vectors = await self._cache.find(asked)
            vectors = batch.vectors
        return {it: vectors[it] for it in content_hashes if it in vectors}
