"""Searches the index by meaning, by words, or by both, with the model that made the index."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Final

from raglive.embedding import Embedder, EmbeddingConfig, EmbeddingError, create_embedder
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

__all__ = ["MAX_QUESTION_CHARS", "SearchConfig", "SearchMode", "SearchRequest", "SearchService"]

MAX_QUESTION_CHARS = 2_000
AT_ONCE = 4  # each holds a connection of the pool, which log and status need too
RETRY_MS = 1000

_UNAVAILABLE: Final = ErrorCode.EMBEDDING_UNAVAILABLE
_CAUSED_BY_SETTINGS = frozenset(
    {
        ErrorCode.EMBEDDING_NOT_CONFIGURED,
        ErrorCode.EMBEDDING_REJECTED,
        ErrorCode.EMBEDDING_INVALID_RESPONSE,
    }
)


class SearchMode(StrEnum):
    """How chunks are found: by vector similarity, by words, or by both rankings fused."""

    HYBRID = "hybrid"
    VECTOR = "vector"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class SearchConfig:
    """How questions are embedded and words are matched.

    `text_search_config` is the Postgres text search configuration of the index.
    """

    embedding: EmbeddingConfig = field(default_factory=EmbeddingConfig)
    text_search_config: str = "simple"
    timeout_seconds: float = 10.0


@dataclass(frozen=True, slots=True)
class SearchRequest:
    """A question and its filters. `pipeline_ids` is None for all pipelines."""

    text: str
    mode: SearchMode = SearchMode.HYBRID
    pipeline_ids: frozenset[str] | None = None
    only: SearchFilter = NO_FILTER
    limit: int = 10


class SearchService:
    """Searches the index. The embedding model is loaded on first use; `close` releases it."""

    def __init__(self, database: Database, config: SearchConfig) -> None:
        self._database = database
        self._config = config.embedding
        self._chunks = ChunkSearch(
            database, config=config.text_search_config, within_seconds=config.timeout_seconds
        )
        self._embedders: dict[ChosenSpace, Embedder] = {}  # by the models the index has had
        self._loading = asyncio.Lock()
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._wait_seconds = config.timeout_seconds

    async def close(self) -> None:
        """Close the embedders. Idempotent."""
        while self._embedders:
            await self._embedders.popitem()[1].close()

    async def pipeline_ids(self) -> frozenset[str]:
        """Return the ids of every pipeline in the database."""
        return frozenset(await self._chunks.pipelines())

    async def search(self, request: SearchRequest) -> list[Hit]:
        """Return the best matching chunks, best first.

        Raises `invalid_request` for a malformed question, `embedding_model_changed` when the
        settings do not allow embedding with the index's model, `unavailable` if other searches take
        too long, and the errors of the embedder and of the database.
        """
        if fault := _fault(request):
            raise RagliveError(fault, code=ErrorCode.INVALID_REQUEST)
        try:
            return await self._answer(request)
        except EmbeddingModelChanged:  # between embedding and searching: repeat with the new model
            return await self._answer(request)

    async def _answer(self, request: SearchRequest) -> list[Hit]:
        index = await active_model(self._database)
        only = await self._filter_of(request)
        if index is None or (only.pipeline_keys is not None and not only.pipeline_keys):
            return []
        vector = None
        if request.mode is not SearchMode.TEXT:
            vector = await self._embed(request.text, index)
        async with self._slot():
            return await self._chunks.find(
                request.text,
                vector=vector,
                space=None if vector is None else index.space,
                full_text=request.mode is not SearchMode.VECTOR,
                where=only,
                limit=request.limit,
            )

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        """Wait until fewer than `AT_ONCE` searches run; raise `unavailable` after a time-out."""
        try:
            async with asyncio.timeout(self._wait_seconds):
                await self._slots.acquire()
        except TimeoutError:
            raise RagliveError(
                "Too many searches run at the same time. Try again later.",
                code=ErrorCode.UNAVAILABLE,
                retryable=True,
                retry_after_ms=RETRY_MS,
            ) from None
        try:
            yield
        finally:
            self._slots.release()

    async def _filter_of(self, request: SearchRequest) -> SearchFilter:
        if request.pipeline_ids is None:
            return request.only
        known = await self._chunks.pipelines()
        keys = [key for name, key in known.items() if name in request.pipeline_ids]
        everything = len(keys) == len(known)
        return request.only if everything else replace(request.only, pipeline_keys=keys)

    async def _embed(self, text: str, index: ChosenSpace) -> Vector:
        try:
            [vector] = await (await self._model(index)).embed([text])
        except EmbeddingError as error:
            if error.code in _CAUSED_BY_SETTINGS and (change := self._advice(index)):
                raise EmbeddingModelChanged(
                    f"{error.message} The index has vectors of {index.space}. {change}, and start "
                    "this program again."
                ) from error
            if error.code == _UNAVAILABLE and self._uses_index_address:
                raise EmbeddingError(
                    f"{error.message} The request went to {index.source.base_url}, which made the "
                    "index. Set EMBEDDING_BASE_URL to an address of that provider that this "
                    "process can reach.",
                    _UNAVAILABLE,
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
        """Return an embedder of the index's model, even if another model is configured.

        Without a configured key and address, it uses the address that the index was made with.
        """
        config, space = self._config, index.space
        address = config.base_url
        if self._uses_index_address:
            address = index.source.base_url  # no secret goes there
        if space.provider != "builtin" and config.api_key is None and address is None:
            raise self._model_changed(index)
        own = EmbeddingConfig(
            space.provider,
            space.model,
            api_key=config.api_key,
            base_url=address,
            dimensions=config.dimensions if config.dimensions == space.dimensions else None,
        )
        embedder = await create_embedder(own, known=space, known_source=index.source)
        if VectorSpace(embedder.provider, embedder.model, embedder.dimensions) != space:
            await embedder.close()
            raise self._model_changed(index)
        return embedder

    @property
    def _uses_index_address(self) -> bool:
        return self._config.api_key is None and self._config.base_url is None

    def _model_changed(self, index: ChosenSpace) -> EmbeddingModelChanged:
        change = self._advice(index) or "Update raglive, or run `raglive reindex`"
        return EmbeddingModelChanged(
            f"The index has vectors of {index.space}. {change}, and start this program again. "
            "A search by words alone works without it."
        )

    def _advice(self, index: ChosenSpace) -> str:
        config = self._config
        source = ModelSource(config.base_url, config.dimensions)
        own = embedding_settings(config.provider, config.model, source)
        return settings_advice(index.settings(), own)


def _fault(request: SearchRequest) -> str | None:
    """Return why a request is invalid, None for a valid one."""
    if not request.text.strip():
        return "Enter a request."
    if len(request.text) > MAX_QUESTION_CHARS:
        return (
            f"The question has {len(request.text):,} characters; the limit is "
            f"{MAX_QUESTION_CHARS:,}. Shorten it."
        )
    if not all(map(_is_text, (request.text, *request.only.types))):
        return "The question contains an invalid character, such as U+0000. Remove it."
    return None


def _is_text(word: str) -> bool:
    return "\0" not in word and not any("\ud800" <= character <= "\udfff" for character in word)
