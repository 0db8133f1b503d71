"""Whether files may be taken up: not while nothing can be embedded, or what is cannot be stored."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

import structlog

from raglive.contract.errors import RagliveError
from raglive.database.errors import DATABASE_ERRORS
from raglive.database.kept import Kept
from raglive.database.pipelines import PipelineRecord
from raglive.database.vector_space import ChosenSpace, EmbeddingModelChanged
from raglive.pipeline.embedding import Embedder, EmbeddingError, EmbeddingRefused
from raglive.pipeline.embedding.budget import Budget, BudgetSpent

__all__ = ["Gate"]

log = structlog.get_logger()

LOOK_SECONDS = 0.5
TIDY_SECONDS = 3600.0
PROBE = "raglive"
_UNTIL_IT_ANSWERS = "Files wait until the embedding provider answers again."
_UNTIL_MENDED = (
    "Files wait. The provider is asked again now and then; after a change of settings, restart "
    "the pipeline."
)


class Gate:
    """Looks at provider, budget and index, and tells viewers when the pipeline pauses."""

    def __init__(
        self,
        record: PipelineRecord,
        embedder: Embedder,
        space: ChosenSpace,
        budget: Budget,
        *,
        kept: Kept,
        opened: asyncio.Event,
    ) -> None:
        self._record = record
        self._embedder = embedder
        self._space = space
        self._budget = budget
        self._kept = kept
        self._opened = opened
        self._published: tuple[str, str] | None = ("", "")  # what an earlier process said
        self.has_looked = False
        self.paused: tuple[str, str] | None = None
        self.paused_at = float("inf")

    @property
    def is_open(self) -> bool:
        """Say whether files may be taken up."""
        return self.paused is None and not self._embedder.trouble

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
        self.has_looked = True

    async def _reason(self) -> tuple[str, str] | None:
        if isinstance(trouble := self._embedder.trouble, EmbeddingRefused):
            return (str(trouble.code), f"{trouble.message} {_UNTIL_MENDED}")
        if trouble is not None:
            return ("embedding_unavailable", f"{trouble.message} {_UNTIL_IT_ANSWERS}")
        if changed := await self._space.refusal(self._record.database):
            return (EmbeddingModelChanged.code, changed)
        spent = await self._budget.refusal()
        return (BudgetSpent.code, spent) if spent else None
