"""Whether files may be taken up: not while nothing can be embedded, or what is cannot be stored."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import astuple
from typing import Any

import structlog

from raglive.embedding import PROBE, Embedder, EmbeddingError, EmbeddingRefused
from raglive.embedding.budget import Budget
from raglive.store.errors import STORE_ERRORS
from raglive.store.index.vector_space import ChosenSpace, EmbeddingModelChanged
from raglive.store.registry.pipelines import PauseReason, PipelineRecord
from raglive.store.retention import delete_expired
from raglive_contract.file_errors import what_to_do

__all__ = ["Gate"]

log = structlog.get_logger()

LOOK_SECONDS = 0.5
TIDY_SECONDS = 3600.0
_UNTIL_IT_ANSWERS = "Files wait until the embedding provider answers again."
_UNTIL_IT_TAKES_THEM = "Files wait; the provider is asked again now and then."
_UNTIL_STARTED_AGAIN = "Files wait until it is started again."
_AFTER_A_CHANGE = "After a change of settings, start the pipeline again."


class Gate:
    """Looks at provider, budget and index, and tells viewers when the pipeline pauses."""

    def __init__(
        self,
        record: PipelineRecord,
        embedder: Embedder,
        space: ChosenSpace,
        budget: Budget,
        *,
        opened: asyncio.Event,
    ) -> None:
        self._record = record
        self._embedder = embedder
        self._space = space
        self._budget = budget
        self._opened = opened
        self._has_published = False  # but an earlier process may have
        self._published: PauseReason | None = None
        self.has_looked = False
        self.paused: PauseReason | None = None
        self.paused_at = float("inf")  # when viewers were told

    @property
    def is_open(self) -> bool:
        """Say whether files may be taken up."""
        return self.has_looked and self.paused is None and not self._embedder.trouble

    @property
    def is_refused(self) -> bool:
        """Say whether the provider wants none of it, so that waiting alone helps little."""
        return isinstance(self._embedder.trouble, EmbeddingRefused)

    def embedding_health(self) -> dict[str, Any]:
        """Return who embeds, and how the circuit to it stands."""
        return self._embedder.health()

    async def run(self) -> None:
        """Look until cancelled."""
        loop = asyncio.get_running_loop()
        tidy_at = loop.time()
        is_budget_told = False
        while True:
            try:
                if not is_budget_told:
                    await self._record.set_budget(*astuple(self._budget.price))
                    is_budget_told = True
                await self._look()
                if loop.time() >= tidy_at:
                    await delete_expired(self._record.database)
                    tidy_at = loop.time() + TIDY_SECONDS
            except STORE_ERRORS as error:
                log.warning("gate_unread", error=type(error).__name__)
            await asyncio.sleep(LOOK_SECONDS)

    async def _look(self) -> None:
        if self._embedder.is_half_open:
            with suppress(EmbeddingError):
                await self._embedder.embed([PROBE])
        self.paused = await self._reason()
        if self.paused != self._published or not self._has_published:
            await self._record.set_paused(self.paused)
            self._published, self._has_published = self.paused, True
            why = None if self.paused is None else self.paused.wire()
            log.info("pipeline_paused" if self.paused else "pipeline_not_paused", why=why)
            self._opened.set()
        since = asyncio.get_running_loop().time()
        self.paused_at = min(self.paused_at, since) if self.paused else float("inf")
        self.has_looked = True

    async def _reason(self) -> PauseReason | None:
        if isinstance(trouble := self._embedder.trouble, EmbeddingRefused):
            advice = f"{trouble.what_to_do} {_AFTER_A_CHANGE}"
            return PauseReason(str(trouble.code), trouble.why, _UNTIL_IT_TAKES_THEM, advice)
        if trouble is not None:
            advice = what_to_do(str(trouble.code))
            return PauseReason("embedding_unavailable", trouble.message, _UNTIL_IT_ANSWERS, advice)
        if successor := await self._space.successor(self._record.database):
            return _made_anew(successor, self._space)
        return await self._budget.pause()


def _made_anew(now: ChosenSpace, was: ChosenSpace) -> PauseReason:
    return PauseReason(
        EmbeddingModelChanged.code,
        f"The index was made anew with {now.space}, and this pipeline embeds with {was.space}.",
        _UNTIL_STARTED_AGAIN,
        f"{now.change_from(was)}, and start the pipeline again.",
    )
