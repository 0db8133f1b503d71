"""The embedder, and its agreement with the index."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from raglive.app.wiring import revealed
from raglive.database.pool import Database
from raglive.database.vector_space import (
    ChosenSpace,
    VectorSpace,
    active_vector_space,
    choose_vector_space,
)
from raglive.pipeline.embedding import Embedder, create_embedder
from raglive.settings import Settings

__all__ = ["configured_embedder", "open_embedder", "space_of"]


@asynccontextmanager
async def open_embedder(
    settings: Settings, database: Database
) -> AsyncIterator[tuple[Embedder, ChosenSpace]]:
    """Open the configured embedder, with its space; raise when the index is of another."""
    active = await active_vector_space(database)
    embedder = await configured_embedder(settings, active)
    try:
        yield embedder, await choose_vector_space(database, space_of(embedder))
    finally:
        await embedder.close()


async def configured_embedder(settings: Settings, known: VectorSpace | None) -> Embedder:
    """Return the embedder as set. Is its space known, the provider is not asked for it."""
    return await create_embedder(
        settings.embedding_provider,
        settings.embedding_model,
        api_key=revealed(settings.embedding_api_key),
        base_url=settings.embedding_base_url,
        ask_dimensions=settings.embedding_dimensions,
        known=known,
        concurrent_requests=settings.embedding_concurrency,
        timeout_seconds=settings.embedding_timeout_seconds,
    )


def space_of(embedder: Embedder) -> VectorSpace:
    """Return the space that an embedder's vectors lie in."""
    return VectorSpace(embedder.provider, embedder.model, embedder.dimensions)
