"""What embedding costs, and the budget that a pipeline's spending must stay within."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Literal

from raglive.embedding.embedder import estimated_tokens
from raglive.store.accounting.spending import Spending
from raglive.store.errors import DATABASE_ERRORS, retry_transient
from raglive.store.registry.pipelines import PauseReason
from raglive_contract.errors import ErrorCode, RagliveError

__all__ = ["Budget", "BudgetConfig", "BudgetSpent", "Period"]

Period = Literal["day", "month", "total"]

DATABASE_TIMEOUT_SECONDS = 120.0
RESERVATION_TIMEOUT_SECONDS = 30.0  # for requests in flight to return what they did not use
RESERVATION_POLL_SECONDS = 0.2
EXHAUSTED_SHARE = Decimal("0.01")  # of the budget: with less left, the pipeline pauses
_PERIOD_ENDS: dict[Period, tuple[str, str]] = {
    "day": ("midnight (UTC)", ", or wait"),
    "month": ("the month ends (UTC)", ", or wait"),
    "total": ("it is raised", ""),
}


class BudgetSpent(RagliveError):
    """Embedding would cost more than is left of the budget, or all of it; nothing was sent."""

    code = ErrorCode.EMBEDDING_BUDGET_SPENT
    retryable = True


@dataclass(frozen=True, slots=True)
class BudgetConfig:
    """The price of a million tokens, and the most to spend in each period (UTC)."""

    per_million_tokens: float = 0.0
    budget: float | None = None
    period: Period = "month"

    def cost_of(self, tokens: int) -> Decimal:
        """Return the cost of `tokens` in the currency of the price."""
        return Decimal(str(self.per_million_tokens)) * tokens / 1_000_000


class Budget:
    """Limits one pipeline's spending across its processes; reservations count as spent."""

    def __init__(self, spending: Spending, config: BudgetConfig) -> None:
        self._spending = spending
        self.config = config

    def estimate(self, texts: Sequence[str]) -> Decimal:
        """Estimate the cost of embedding `texts` from their size."""
        return self.config.cost_of(estimated_tokens(texts))

    @asynccontextmanager
    async def reserved(self, texts: Sequence[str]) -> AsyncIterator[int | None]:
        """Reserve the estimated cost of `texts`; yield the reservation's number.

        Without a budget it yields None. Raises `BudgetSpent`.
        """
        if self.config.budget is None:
            yield None
            return
        reservation = await self._reserve(self.estimate(texts), Decimal(str(self.config.budget)))
        try:
            yield reservation
        finally:
            with suppress(*DATABASE_ERRORS):  # the reservation expires by itself
                await self._spending.release(reservation)

    async def pause(self) -> PauseReason | None:
        """Return the reason to pause the pipeline, None while the budget allows a request."""
        if self.config.budget is None:
            return None
        budget = Decimal(str(self.config.budget))
        left = budget - await self._spent()
        if left > budget * EXHAUSTED_SHARE:
            return None
        if left > 0 and not await self._spending.files_wait_for_budget():
            return None
        rest = f" except for {_money(left)}, and the next file costs more" if left > 0 else ""
        why = f"{self._name.capitalize()} is spent{rest}."
        until, or_wait = _PERIOD_ENDS[self.config.period]
        advice = f"Raise RAGLIVE_EMBEDDING_BUDGET and start the pipeline again{or_wait}."
        return PauseReason(BudgetSpent.code, why, f"Files wait until {until}.", advice)

    async def _reserve(self, expected: Decimal, budget: Decimal) -> int:
        """Reserve, waiting for requests in flight that may cost less than was reserved for them."""
        costs = f"Embedding costs about {_money(expected)}"
        if expected > budget:
            raise self._too_much(
                f"{costs}, more than all of {self._name}.", ErrorCode.EMBEDDING_BUDGET_TOO_SMALL
            )
        deadline = asyncio.get_running_loop().time() + RESERVATION_TIMEOUT_SECONDS
        while (made := await self._try_to_reserve(expected, budget)) == 0:
            if asyncio.get_running_loop().time() > deadline:
                raise BudgetSpent(
                    f"{costs}; files in progress may need what {self._name} has left."
                )
            await asyncio.sleep(RESERVATION_POLL_SECONDS)
        if made is None:
            left = _money(max(Decimal(0), budget - await self._spent()))
            raise self._too_much(f"{costs}; of {self._name}, {left} was left.", BudgetSpent.code)
        return made

    def _too_much(self, why: str, code: ErrorCode) -> BudgetSpent:
        wait = self._next_period() - datetime.now(UTC)
        return BudgetSpent(why, code=code, retry_after_ms=int(wait.total_seconds() * 1000))

    async def _try_to_reserve(self, expected: Decimal, budget: Decimal) -> int | None:
        begin = self._period_start()
        return await retry_transient(
            lambda: self._spending.reserve(expected, budget, begin),
            within_seconds=DATABASE_TIMEOUT_SECONDS,
            what="reserving the cost of embedding",
        )

    async def _spent(self) -> Decimal:
        return (await self._spending.since(self._period_start())).cost

    @property
    def _name(self) -> str:
        of = {"day": "today's", "month": "this month's"}.get(self.config.period, "the")
        return f"{of} embedding budget of {self.config.budget:g}"

    def _period_start(self) -> date:
        today = datetime.now(UTC).date()
        if self.config.period == "total":
            return date(1970, 1, 1)
        return today if self.config.period == "day" else today.replace(day=1)

    def _next_period(self) -> datetime:
        """Return when the next period begins; a budget without periods is checked again daily."""
        now, day = datetime.now(UTC), timedelta(days=1)
        midnight = datetime.combine(now.date(), time(), UTC)
        if self.config.period == "month":
            return (midnight.replace(day=1) + 32 * day).replace(day=1)
        return midnight + day if self.config.period == "day" else now + day


def _money(cost: Decimal) -> str:
    return f"{cost:.2f}" if cost >= 1 else f"{cost:.2g}"
