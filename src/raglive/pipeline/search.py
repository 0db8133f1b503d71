"""Questions to the index, in words: embedded with the model that made it, then looked for."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from enum import StrEnum

from raglive.contract.errors import ErrorCode, RagliveError
from raglive.database.pool import Database
from raglive.database.search import EVERYTHING, ChunkSearch, Hit, Only
from raglive.database.vector_space import VectorSpace, active_vector_space, require_vector_space
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
    """Answers questions. The embedding model is loaded when the first one needs it; close it."""

    def __init__(
        self, database: Database, settings: Settings, *, within_seconds: float = 10.0
    ) -> None:
        self._database = database
        self._settings = settings
        self._chunks = ChunkSearch(
            database, config=settings.text_search_config, within_seconds=within_seconds
        )
        self._embedder: Embedder | None = None
        self._loading = asyncio.Lock()

    async def close(self) -> None:
        """Let go of the model; may be called again."""
        if self._embedder is not None:
            await self._embedder.close()
            self._embedder = None

    async def pipeline_ids(self) -> frozenset[str]:
        """Return the pipelines that there are."""
        return frozenset(await self._chunks.pipelines())

    async def answer(self, question: Question) -> list[Hit]:
        """Return the chunks that answer best, best first.

        Raises `invalid_request` for an empty question, `embedding_model_changed` when the index was
        made with another model than the one configured, and what embedder and database raise.
        """
        if not question.text.strip():
            raise RagliveError("Say what to look for.", code=ErrorCode.INVALID_REQUEST)
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
            if self._embedder is None:
                self._embedder = await self._connect(space.dimensions)
        embedder = self._embedder
        require_vector_space(
            space, VectorSpace(embedder.provider, embedder.model, embedder.dimensions)
        )
        return embedder

    async def _connect(self, dimensions: int) -> Embedder:
        settings = self._settings
        key = settings.embedding_api_key
        return await create_embedder(
            settings.embedding_provider,
            settings.embedding_model,
            api_key=None if key is None else key.get_secret_value(),
            base_url=settings.embedding_base_url,
            ask_dimensions=settings.embedding_dimensions,
            known_dimensions=dimensions,
        )
