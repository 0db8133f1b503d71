"""Pauses the pipeline while texts cannot be embedded, or their vectors cannot be stored."""

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
from raglive_contract.error_advice import what_to_do
from raglive_contract.errors import ErrorCode

__all__ = ["PauseMonitor"]

log = structlog.get_logger()

POLL_SECONDS = 0.5
_UNTIL_AVAILABLE = "Files wait until the embedding provider answers again."
_UNTIL_ACCEPTED = "Files wait; the provider is tried again from time to time."
_UNTIL_RESTARTED = "Files wait until the pipeline is restarted."
_RESTART = "After changing a setting, start the pipeline again."


class PauseMonitor:
    """Checks provider, budget and index twice a second, and publishes when the pipeline pauses."""

    def __init__(
        self,
        record: PipelineRecord,
        embedder: Embedder,
        space: ChosenSpace,
        budget: Budget,
        *,
        changed: asyncio.Event,
    ) -> None:
        self._record = record
        self._embedder = embedder
        self._space = space
        self._budget = budget
        self._changed = changed
        self._has_published = False  # an earlier process may have published a pause
        self._published: PauseReason | None = None
        self.has_checked = False
        self.paused: PauseReason | None = None
        self.paused_at = float("inf")  # by the event loop's clock

    @property
    def may_claim(self) -> bool:
        """Whether new files may be claimed."""
        return self.has_checked and self.paused is None and not self._embedder.trouble

    @property
    def is_refused(self) -> bool:
        """Whether the provider refuses all requests, which waiting alone rarely changes."""
        return isinstance(self._embedder.trouble, EmbeddingRefused)

    def embedding_health(self) -> dict[str, Any]:
        """Return provider, model and the state of the circuit breaker."""
        return self._embedder.health()

    async def run(self) -> None:
        """Check until cancelled."""
        is_budget_published = False
        while True:
            try:
                if not is_budget_published:
                    await self._record.set_budget(*astuple(self._budget.config))
                    is_budget_published = True
                await self._check()
            except STORE_ERRORS as error:
                log.warning("pause_check_failed", error=type(error).__name__)
            await asyncio.sleep(POLL_SECONDS)

    async def _check(self) -> None:
        if self._embedder.is_half_open:
            with suppress(EmbeddingError):
                await self._embedder.embed([PROBE])
        self.paused = await self._reason()
        if self.paused != self._published or not self._has_published:
            await self._record.set_paused(self.paused)
            self._published, self._has_published = self.paused, True
            why = None if self.paused is None else self.paused.wire()
            log.info("pipeline_paused" if self.paused else "pipeline_resumed", why=why)
            self._changed.set()
        now = asyncio.get_running_loop().time()
        self.paused_at = min(self.paused_at, now) if self.paused else float("inf")
        self.has_checked = True

    async def _reason(self) -> PauseReason | None:
        if isinstance(trouble := self._embedder.trouble, EmbeddingRefused):
            advice = f"{trouble.what_to_do} {_RESTART}"
            return PauseReason(trouble.code, trouble.why, _UNTIL_ACCEPTED, advice)
        if trouble is not None:
            advice = what_to_do(trouble.code, is_waiting=True)
            return PauseReason(
                ErrorCode.EMBEDDING_UNAVAILABLE, trouble.message, _UNTIL_AVAILABLE, advice
            )
        if successor := await self._space.successor(self._record.database):
            return _model_changed(successor, self._space)
        return await self._budget.pause()


def _model_changed(now: ChosenSpace, was: ChosenSpace) -> PauseReason:
    return PauseReason(
        EmbeddingModelChanged.code,
        f"The index changed to {now.space}, but this pipeline embeds with {was.space}.",
        _UNTIL_RESTARTED,
        f"{now.change_from(was)}, and start the pipeline again.",
    )
