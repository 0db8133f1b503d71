"""Questions to the index, in words: embedded with the model that made it, then looked for."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from raglive.embedding import Embedder, EmbeddingError, create_embedder
from raglive.settings import Settings
from raglive.store.index.model_source import ModelSource, embedding_settings, settings_advice
from raglive.store.index.search import NO_FILTER, ChunkSearch, Hit, SearchFilter
from raglive.store.index.vector_cache import Vector
from raglive.store.index.vector_space import (
    ChosenSpace,
    EmbeddingModelChanged,
    VectorSpace,
    active_model,
)
from raglive.store.pool import Database
from raglive_contract.errors import ErrorCode, RagliveError

__all__ = ["LONGEST_QUESTION", "Question", "Search", "SearchMode"]

LONGEST_QUESTION = 2_000  # characters

_AWAY: Final = "embedding_unavailable"
_OF_SETTINGS = frozenset(
    {"embedding_not_configured", "embedding_rejected", "embedding_invalid_response"}
)


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
    only: SearchFilter = NO_FILTER
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
        self._embedders: dict[ChosenSpace, Embedder] = {}  # one, until the index changes its model
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

        Raises `invalid_request` for a question that nobody can answer, `embedding_model_changed`
        when the settings do not say how to embed with the index's model, and what embedder and
        database raise.
        """
        if fault := _fault(question):
            raise RagliveError(fault, code=ErrorCode.INVALID_REQUEST)
        try:
            return await self._answer(question)
        except EmbeddingModelChanged:  # after the question was embedded: once more with the new one
            return await self._answer(question)

    async def _answer(self, question: Question) -> list[Hit]:
        index = await active_model(self._database)
        only = await self._kept_to(question)
        if index is None or (only.pipeline_keys is not None and not only.pipeline_keys):
            return []
        vector = None
        if question.mode is not SearchMode.TEXT:
            vector = await self._embed(question.text, index)
        return await self._chunks.find(
            question.text,
            vector=vector,
            space=None if vector is None else index.space,
            full_text=question.mode is not SearchMode.VECTOR,
            where=only,
            limit=question.limit,
        )

    async def _kept_to(self, question: Question) -> SearchFilter:
        if question.pipeline_ids is None:
            return question.only
        known = await self._chunks.pipelines()
        keys = [key for name, key in known.items() if name in question.pipeline_ids]
        everything = len(keys) == len(known)
        return question.only if everything else replace(question.only, pipeline_keys=keys)

    async def _embed(self, text: str, index: ChosenSpace) -> Vector:
        try:
            [vector] = await (await self._model(index)).embed([text])
        except EmbeddingError as error:
            if error.code in _OF_SETTINGS and (change := self._advice(index)):
                raise EmbeddingModelChanged(
                    f"{error.message} The index is of {index.space}. {change}, and start this "
                    "program again."
                ) from error
            if error.code == _AWAY and self._asks_where_the_index_is_from:
                raise EmbeddingError(
                    f"{error.message} It was asked at {index.source.base_url}, where the index's "
                    "vectors are from; set EMBEDDING_BASE_URL to where this process reaches it.",
                    _AWAY,
                ) from error
            raise
        found: Vector = vector
        return found

    async def _model(self, index: ChosenSpace) -> Embedder:
        async with self._loading:
            if index not in self._embedders:
                self._embedders[index] = await self._connect(index)
            return self._embedders[index]

    async def _connect(self, index: ChosenSpace) -> Embedder:
        """Return an embedder of the index's model, which need not be the one that is set.

        Without a key and an address of its own, it asks where the index's vectors are from.
        """
        settings, space = self._settings, index.space
        key, address = settings.embedding_api_key, settings.embedding_base_url
        if self._asks_where_the_index_is_from:
            address = index.source.base_url  # no secret goes there
        asked = settings.embedding_dimensions
        if space.provider != "builtin" and key is None and address is None:
            raise self._unknown(index)
        embedder = await create_embedder(
            space.provider,
            space.model,
            api_key=None if key is None else key.get_secret_value(),
            base_url=address,
            ask_dimensions=asked if asked == space.dimensions else None,
            known=space,
            known_source=index.source,
        )
        if VectorSpace(embedder.provider, embedder.model, embedder.dimensions) != space:
            await embedder.close()
            raise self._unknown(index)
        return embedder

    @property
    def _asks_where_the_index_is_from(self) -> bool:
        settings = self._settings
        return settings.embedding_api_key is None and settings.embedding_base_url is None

    def _unknown(self, index: ChosenSpace) -> EmbeddingModelChanged:
        change = self._advice(index) or "Update raglive, or run `raglive reindex`"
        return EmbeddingModelChanged(
            f"The index is of {index.space}. {change}, and start this program again. "
            "A search by words alone needs none of it."
        )

    def _advice(self, index: ChosenSpace) -> str:
        settings = self._settings
        source = ModelSource(settings.embedding_base_url, settings.embedding_dimensions)
        own = embedding_settings(settings.embedding_provider, settings.embedding_model, source)
        return settings_advice(index.settings(), own)


def _fault(question: Question) -> str | None:
    """Return what is wrong with a question; None for one that can be asked."""
    if not question.text.strip():
        return "Say what to look for."
    if len(question.text) > LONGEST_QUESTION:
        return (
            f"The question has {len(question.text):,} characters; at most {LONGEST_QUESTION:,} "
            "are looked for. Ask a shorter one."
        )
    if not all(map(_is_text, (question.text, *question.only.types))):
        return "The question holds what is no character, such as U+0000. Leave it out."
    return None


def _is_text(word: str) -> bool:
    return "\0" not in word and not any("\ud800" <= character <= "\udfff" for character in word)
