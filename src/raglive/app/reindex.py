"""Making the index anew with the configured embedding model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from raglive.app.embedder import configured_embedder, source_of, space_of
from raglive.app.pipeline import price_of
from raglive.app.wiring import Wiring
from raglive.database.reindexing import reindexing
from raglive.database.vector_space import VectorSpace
from raglive.pipeline.reindex import Reindexer, ReindexProgress

__all__ = ["Reindexed", "give_up", "reindex"]


@dataclass(frozen=True, slots=True)
class Reindexed:
    """The space that the index is in, and how many chunks changed; None if it already was."""

    space: VectorSpace
    chunks: int | None


async def reindex(wiring: Wiring, tell: Callable[[ReindexProgress], None]) -> Reindexed:
    """Embed the index anew and change it over; `tell` hears of the progress.

    Raises `ReindexRefused`, `EmbeddingError`, `BudgetSpent`, and the database's errors.
    """
    settings = wiring.settings
    async with wiring.database("reindex") as database, reindexing(database) as store:
        following = await store.under_way()
        embedder = await configured_embedder(settings, following)
        try:
            source = source_of(settings, embedder, following)
            space = await store.begin(space_of(embedder), source)
            if space is None:
                await store.tidy()
                return Reindexed(space_of(embedder), None)
            price = price_of(settings)
            chunks = await Reindexer(database, store, embedder, space, price, tell).run()
            return Reindexed(space.space, chunks)
        finally:
            await embedder.close()


async def give_up(wiring: Wiring) -> VectorSpace | None:
    """Let go of what was embedded anew; return with which model, None if with none."""
    async with wiring.database("reindex", max_size=2) as database, reindexing(database) as store:
        abandoned = await store.under_way()
        if abandoned is None:
            return None
        await store.give_up()
        return abandoned.space
