"""Questions to the index, in words: embedded with the model that made it, then looked for."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from enum import StrEnum

from raglive.contract.errors import ErrorCode, RagliveError
from raglive.database.pool import Database
from raglive.database.search import EVERYTHING, ChunkSearch, Hit, Only
from raglive.database.vector_space import (
    EmbeddingModelChanged,
    VectorSpace,
    active_vector_space,
)
from raglive.pipeline.embedding import Embedder, create_embedder
from raglive.settings import Settings

__all__ = ["Question", "Search", "SearchMode"]


class SearchMode(StrEnum):
    """By what chunks are found; `hybrid` joins both rankings."""

    HYBRID = "hybrid"
    VECTOR = "vector"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Question:
    """What is looked for; in all pipelines when none is named."""

    text: str
    mode: SearchMode = SearchMode.HYBRID
    pipeline_ids: frozenset[str] | None = None
    only: Only = EVERYTHING
    limit: int = 10


class Search:
    """Answers questions. An embedding model is loaded when the first one needs it; close it."""

    def __init__(
        self, database: Database, settings: Settings, *, within_seconds: float = 10.0
    ) -> None:
        self._database = database
        self._settings = settings
        self._chunks = ChunkSearch(
            database, config=settings.text_search_config, within_seconds=within_seconds
        )
        self._embedders: dict[VectorSpace, Embedder] = {}  # one, until the index changes its model
        self._loading = asyncio.Lock()

    async def close(self) -> None:
        """Let go of the models; may be called again."""
        while self._embedders:
            await self._embedders.popitem()[1].close()

    async def pipeline_ids(self) -> frozenset[str]:
        """Return the pipelines that there are."""
        return frozenset(await self._chunks.pipelines())

    async def answer(self, question: Question) -> list[Hit]:
        """Return the chunks that answer best, best first.

        Raises `invalid_request` for an empty question, `embedding_model_changed` when the settings
        do not say how to embed with the index's model, and what embedder and database raise.
        """
        if not question.text.strip():
            raise RagliveError("Say what to look for.", code=ErrorCode.INVALID_REQUEST)
        try:
            return await self._answer(question)
        except EmbeddingModelChanged:  # after the question was embedded: once more with the new one
            return await self._answer(question)

    async def _answer(self, question: Question) -> list[Hit]:
        space = await active_vector_space(self._database)
        only = await self._kept_to(question)
        if space is None or (only.pipeline_keys is not None and not only.pipeline_keys):
            return []
        vector = None
        if question.mode is not SearchMode.TEXT:
            [vector] = await (await self._model(space)).embed([question.text])
        return await self._chunks.find(
            question.text,
            vector=vector,
            space=None if vector is None else space,
            words=question.mode is not SearchMode.VECTOR,
            only=only,
            limit=question.limit,
        )

    async def _kept_to(self, question: Question) -> Only:
        if question.pipeline_ids is None:
            return question.only
        known = await self._chunks.pipelines()
        keys = [key for name, key in known.items() if name in question.pipeline_ids]
        everything = len(keys) == len(known)
        return question.only if everything else replace(question.only, pipeline_keys=keys)

    async def _model(self, space: VectorSpace) -> Embedder:
        async with self._loading:
            if space not in self._embedders:
                self._embedders[space] = await self._connect(space)
            return self._embedders[space]

    async def _connect(self, space: VectorSpace) -> Embedder:
        """Return an embedder of the index's model, which need not be the one that is set."""
        settings = self._settings
        key = settings.embedding_api_key
        is_reachable = key is not None or settings.embedding_base_url is not None
        if space.provider != "builtin" and not is_reachable:
            raise _unknown(space)
        asked = settings.embedding_dimensions
        embedder = await create_embedder(
            space.provider,
            space.model,
            api_key=None if key is None else key.get_secret_value(),
            base_url=settings.embedding_base_url,
            ask_dimensions=asked if asked == space.dimensions else None,
            known=space,
        )
        if VectorSpace(embedder.provider, embedder.model, embedder.dimensions) != space:
            await embedder.close()
            raise _unknown(space)
        return embedder


def _unknown(space: VectorSpace) -> EmbeddingModelChanged:
    return EmbeddingModelChanged(
        f"The index is of {space}, and what was asked here is set up for another. Set "
        "EMBEDDING_PROVIDER, EMBEDDING_MODEL, and EMBEDDING_API_KEY or EMBEDDING_BASE_URL as its "
        "pipeline has them, and start this program again. A search by words alone needs none of it."
    )
