"""The configured embedder and its agreement with the index; the configuration of search."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from raglive.app.installation import revealed
from raglive.embedding import Embedder, EmbeddingConfig, create_embedder
from raglive.embedding.budget import BudgetConfig
from raglive.search.service import SearchConfig
from raglive.settings import Settings
from raglive.store.index.model_source import DEFAULT_SOURCE, ModelSource
from raglive.store.index.vector_space import (
    ChosenSpace,
    VectorSpace,
    active_model,
    choose_vector_space,
)
from raglive.store.pool import Database

__all__ = [
    "budget_config",
    "configured_embedder",
    "embedding_config",
    "open_embedder",
    "search_config",
    "source_of",
    "space_of",
]


def embedding_config(settings: Settings) -> EmbeddingConfig:
    """Return the `EMBEDDING_*` settings."""
    return EmbeddingConfig(
        settings.embedding_provider,
        settings.embedding_model,
        api_key=revealed(settings.embedding_api_key),
        base_url=settings.embedding_base_url,
        dimensions=settings.embedding_dimensions,
        concurrent_requests=settings.embedding_concurrency,
        timeout_seconds=settings.embedding_timeout_seconds,
    )


def search_config(settings: Settings) -> SearchConfig:
    """Return the settings that search needs, those of the embedder included."""
    return SearchConfig(embedding_config(settings), settings.text_search_config)


def budget_config(settings: Settings) -> BudgetConfig:
    """Return the price of embedding and the budget for it."""
    return BudgetConfig(
        settings.embedding_price, settings.embedding_budget, settings.embedding_budget_period
    )


@asynccontextmanager
async def open_embedder(
    settings: Settings, database: Database
) -> AsyncIterator[tuple[Embedder, ChosenSpace]]:
    """Open the configured embedder and choose the vector space of the index.

    Raises `EmbeddingModelChanged` when the index holds the vectors of another model.
    """
    active = await active_model(database)
    embedder = await configured_embedder(settings, active)
    source = source_of(settings, embedder, active)
    try:
        yield embedder, await choose_vector_space(database, space_of(embedder), source)
    finally:
        await embedder.close()


async def configured_embedder(settings: Settings, known: ChosenSpace | None) -> Embedder:
    """Return the configured embedder; a model that is `known` needs no probe request."""
    config = embedding_config(settings)
    if known is None:
        return await create_embedder(config)
    return await create_embedder(config, known=known.space, known_source=known.source)


def source_of(settings: Settings, embedder: Embedder, known: ChosenSpace | None) -> ModelSource:
    """Return the address and the dimensions that the configured embedder sends requests with."""
    if embedder.provider == "builtin":
        return DEFAULT_SOURCE
    asked = settings.embedding_dimensions
    if asked is None and known is not None and known.space == space_of(embedder):
        asked = known.source.asked_dimensions
    return ModelSource(settings.embedding_base_url, asked)


def space_of(embedder: Embedder) -> VectorSpace:
    """Return the vector space of an embedder: provider, model and dimensions."""
    return VectorSpace(embedder.provider, embedder.model, embedder.dimensions)
