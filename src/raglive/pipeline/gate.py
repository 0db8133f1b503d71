"""Whether files may be taken up: not while the embedding provider is down, or the budget spent."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import structlog

from raglive.contract.errors import RagliveError
from raglive.database.errors import DATABASE_ERRORS
from raglive.database.kept import Kept
from raglive.database.pipelines import PipelineRecord
from raglive.pipeline.embedding import Embedder, EmbeddingError
from raglive.pipeline.embedding.budget import Budget, BudgetSpent

__all__ = ["Gate"]

log = structlog.get_logger()

LOOK_SECONDS = 0.5
TIDY_SECONDS = 3600.0
PROBE = "raglive"


class Gate:
    """Looks at the provider and the budget, and tells viewers when the pipeline pauses."""

    def __init__(
        self,
        record: PipelineRecord,
        embedder: Embedder,
        budget: Budget,
        kept: Kept,
        opened: asyncio.Event,
    ) -> None:
        self._record = record
        self._embedder = embedder
        self._budget = budget
        self._kept = kept
        self._opened = opened
        self._published: tuple[str, str] | None = ("", "")  # what an earlier process said
        self.paused: tuple[str, str] | None = None
        self.paused_at = float("inf")

    @property
    def is_open(self) -> bool:
        """Say whether files may be taken up."""
        return self.paused is None and not self._embedder.trouble

    @property
    def is_refused(self) -> bool:
        """Say whether the provider wants none of it, so that waiting alone helps little."""
        trouble = self._embedder.trouble
        return trouble is not None and trouble.is_refusal

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
                    price = self._budget.price
                    await self._record.set_budget(price.budget, price.period)
                    is_budget_told = True
                await self._look()
                if loop.time() >= tidy_at:
                    await self._kept.forget_old()
                    tidy_at = loop.time() + TIDY_SECONDS
            except (RagliveError, *DATABASE_ERRORS) as error:  # type: ignore[misc]  # a flat tuple
                log.warning("gate_unread", error=type(error).__name__)
            await asyncio.sleep(LOOK_SECONDS)

    async def _look(self) -> None:
        if self._embedder.is_half_open:
            with suppress(EmbeddingError):
                await self._embedder.embed([PROBE])
        was_open, self.paused = self.paused is None, await self._reason()
        if was_open and self.paused:
            self.paused_at = asyncio.get_running_loop().time()
        if self.paused != self._published:
            await self._record.set_paused(self.paused)
            self._published = self.paused
            log.info("pipeline_paused" if self.paused else "pipeline_not_paused", why=self.paused)
            self._opened.set()

    async def _reason(self) -> tuple[str, str] | None:
        if trouble := self._embedder.trouble:
            until = "takes them" if trouble.is_refusal else "answers again"
            return (
                trouble.code if trouble.is_refusal else "embedding_unavailable",
                f"{trouble.message} Files wait until the embedding provider {until}.",
            )
        spent = await self._budget.refusal()
        return (BudgetSpent.code, spent) if spent else None
