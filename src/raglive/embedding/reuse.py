"""The vectors of documents: what is stored is looked up, the rest is embedded, and kept, once."""

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

__all__ = ["EmbedOnce", "StoredVectors"]

DATABASE_PATIENCE_SECONDS = 120.0
REQUESTS_PER_FILE = 4

_Awaited = asyncio.Future[Vector | None]
_Batches = Iterator[tuple[Sequence[bytes], list[str]]]


@dataclass(frozen=True, slots=True)
class EmbedOnce:
    """Embeds texts by the hash of their content; files at work at once share what is the same.

    What was paid for is kept until it is stored, and texts are embedded if the budget suffices for
    all of them. `piecemeal`, what was free is kept too, and each request is budgeted by itself.
    """

    embedder: Embedder
    stored: StoredVectors
    cache: VectorCache
    spending: Spending
    budget: Budget
    piecemeal: bool = False
    _under_way: dict[bytes, _Awaited] = field(default_factory=dict)

    async def vectors(
        self,
        texts: Mapping[bytes, str],
        payers: Mapping[bytes, int],
        on_share: Callable[[float], None],
    ) -> tuple[dict[bytes, Vector], int]:
        """Return a vector for each text, and how many of them were embedded for it.

        `payers`: the file, by its key, that each text is of. `on_share` hears what share of them
        is there. Raises `EmbeddingError`, `BudgetSpent`; what was embedded by then is kept.
        """
        found: dict[bytes, Vector] = {}
        embedded = 0
        while missing := [content_hash for content_hash in texts if content_hash not in found]:
            others = {it: self._under_way[it] for it in missing if it in self._under_way}
            own = self._take([it for it in missing if it not in others])
            try:
                found.update(await self._known(list(own)))
                new = {it: texts[it] for it in own if it not in found}
                async with self._reserved(list(new.values()), self.piecemeal) as reservation:
                    await self._embed(new, payers, found, on_share, reservation)
                embedded += len(new)
            finally:
                self._settle(own, found)
            await _gather(others, found)
        return found, embedded

    def _take(self, hashes: Sequence[bytes]) -> dict[bytes, _Awaited]:
        loop = asyncio.get_running_loop()
        own: dict[bytes, _Awaited] = {it: loop.create_future() for it in hashes}
        self._under_way.update(own)
        return own

    def _settle(self, own: Mapping[bytes, _Awaited], found: Mapping[bytes, Vector]) -> None:
        for content_hash, awaited in own.items():
            del self._under_way[content_hash]
            awaited.set_result(found.get(content_hash))

    async def _known(self, hashes: list[bytes]) -> dict[bytes, Vector]:
        if not hashes:
            return {}
        return await retry_transient(
            lambda: self.stored.find(hashes),
            within_seconds=DATABASE_PATIENCE_SECONDS,
            what="looking up embeddings",
        )

    def _reserved(
        self, texts: Sequence[str], is_not_now: bool
    ) -> AbstractAsyncContextManager[int | None]:
        if is_not_now or not texts or not self.embedder.is_paid:
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
        """Embed batch by batch, a few at once; after a failure those under way are finished."""
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
            raise min(failures, key=_passes)

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
        async with self._reserved(batch, not self.piecemeal) as own:
            vectors = await self.embedder.embed(batch, on_tokens=tokens.append)
            made = list(zip(hashes, vectors, strict=True))
            if self.embedder.is_paid or self.piecemeal:
                paid = [payers[it] for it in hashes] if self.embedder.is_paid else []
                used = self._used(paid, batch, sum(tokens))
                await retry_transient(
                    lambda: self.cache.add(
                        made, self.spending, used, self._drawn(own or whole, batch)
                    ),
                    within_seconds=DATABASE_PATIENCE_SECONDS,
                    what="keeping vectors",
                )
        return dict(made)

    def _drawn(self, reservation: int | None, batch: Sequence[str]) -> Draw | None:
        return None if reservation is None else Draw(reservation, self.budget.guess(batch))

    def _used(self, payers: Sequence[int], batch: Sequence[str], tokens: int) -> dict[int, Usage]:
        """Return what each file has to pay of a request: tokens by its share of the bytes."""
        used: dict[int, Usage] = {}
        left_tokens, left_bytes = tokens, sum(len(text.encode()) for text in batch)
        for payer, text in zip(payers, batch, strict=False):
            size = len(text.encode())
            own = left_tokens * size // max(left_bytes, 1)
            left_tokens, left_bytes = left_tokens - own, left_bytes - size
            before = used.get(payer, Usage(0, 0, Decimal(0)))
            cost = before.cost + self.budget.price.of(own)
            used[payer] = Usage(before.texts + 1, before.tokens + own, cost)
        return used


def _passes(error: Exception) -> bool:
    """Say whether a retry may heal it: of several errors, one that none heals is told."""
    return error.retryable if isinstance(error, RagliveError) else True


async def _gather(others: Mapping[bytes, _Awaited], found: dict[bytes, Vector]) -> None:
    """Wait for what other files embed; what they fail to is left out."""
    if others:
        await asyncio.wait(others.values())  # each ends with its own request, which has a time-out
    for content_hash, awaited in others.items():
        vector = awaited.result()
        if vector is not None:
            found[content_hash] = vector


@dataclass(slots=True, eq=False)
class _Question:
    hashes: set[bytes] = field(default_factory=set)
    answer: dict[bytes, Vector] | None = None


class StoredVectors:
    """Asks one question at a time; who comes meanwhile shares the next one."""

    def __init__(self, cache: VectorCache) -> None:
        self._cache = cache
        self._turn = asyncio.Lock()
        self._next = _Question()

    async def find(self, content_hashes: Sequence[bytes]) -> dict[bytes, Vector]:
        """Return the vectors of those texts that are stored; raise the database's errors."""
        question = self._next
        question.hashes.update(content_hashes)
        async with self._turn:
            if self._next is question:
                self._next = _Question()
            if question.answer is None:  # nobody has asked it, or whoever did has failed
                asked = list(question.hashes)
                question.answer = await self._cache.find(asked)
            answer = question.answer
        return {it: answer[it] for it in content_hashes if it in answer}
