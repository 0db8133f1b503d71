"""The embedder, and its agreement with the index."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from raglive.app.installation import revealed
from raglive.embedding import Embedder, create_embedder
from raglive.settings import Settings
from raglive.store.index.vector_space import (
    PLAIN,
    ChosenSpace,
    ModelSource,
    VectorSpace,
    active_model,
    choose_vector_space,
)
from raglive.store.pool import Database

__all__ = ["configured_embedder", "open_embedder", "source_of", "space_of"]


@asynccontextmanager
async def open_embedder(
    settings: Settings, database: Database
) -> AsyncIterator[tuple[Embedder, ChosenSpace]]:
    """Open the configured embedder, with its space; raise when the index is of another."""
    active = await active_model(database)
    embedder = await configured_embedder(settings, active)
    source = source_of(settings, embedder, active)
    try:
        yield embedder, await choose_vector_space(database, space_of(embedder), source)
    finally:
        await embedder.close()


async def configured_embedder(settings: Settings, known: ChosenSpace | None) -> Embedder:
    """Return the embedder as set. Is its space known, the provider is asked as for that."""
    return await create_embedder(
        settings.embedding_provider,
        settings.embedding_model,
        api_key=revealed(settings.embedding_api_key),
        base_url=settings.embedding_base_url,
        ask_dimensions=settings.embedding_dimensions,
        known=None if known is None else known.space,
        known_source=PLAIN if known is None else known.source,
        concurrent_requests=settings.embedding_concurrency,
        timeout_seconds=settings.embedding_timeout_seconds,
    )


def source_of(settings: Settings, embedder: Embedder, known: ChosenSpace | None) -> ModelSource:
    """Return how the embedder as set is asked."""
    if embedder.provider == "builtin":
        return PLAIN
    asked = settings.embedding_dimensions
    if asked is None and known is not None and known.space == space_of(embedder):
        asked = known.source.asked_dimensions
    return ModelSource(settings.embedding_base_url, asked)


def space_of(embedder: Embedder) -> VectorSpace:
    """Return the space that an embedder's vectors lie in."""
    return VectorSpace(embedder.provider, embedder.model, embedder.dimensions)
