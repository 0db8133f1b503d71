"""The embedder, and its agreement with the index."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from raglive.app.wiring import revealed
from raglive.database.pool import Database
from raglive.database.vector_space import (
    VectorSpace,
    active_vector_space,
    choose_vector_space,
)
from raglive.pipeline.embedding import Embedder, create_embedder
from raglive.settings import Settings

__all__ = ["open_embedder"]


@asynccontextmanager
async def open_embedder(settings: Settings, database: Database) -> AsyncIterator[Embedder]:
    """Open the configured embedder; raise when the index was made with another."""
    active = await active_vector_space(database)
    embedder = await create_embedder(
        settings.embedding_provider,
        settings.embedding_model,
        api_key=revealed(settings.embedding_api_key),
        base_url=settings.embedding_base_url,
        ask_dimensions=settings.embedding_dimensions,
        known_dimensions=active.dimensions if active else None,
        concurrent_requests=settings.embedding_concurrency,
        timeout_seconds=settings.embedding_timeout_seconds,
    )
    try:
        made = VectorSpace(embedder.provider, embedder.model, embedder.dimensions)
        await choose_vector_space(database, made)
        yield embedder
    finally:
        await embedder.close()
