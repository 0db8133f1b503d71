"""What embedding costs, and the budget that it must stay within."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Literal

from raglive.embedding.batches import BYTES_PER_TOKEN
from raglive.store.accounting.spending import Spending
from raglive.store.errors import DATABASE_ERRORS, retry_transient
from raglive.store.registry.pipelines import PauseReason
from raglive_contract.errors import RagliveError

__all__ = ["Budget", "BudgetSpent", "Period", "Price"]

Period = Literal["day", "month", "total"]

DATABASE_PATIENCE_SECONDS = 120.0
OTHERS_SECONDS = 30.0
LOOK_SECONDS = 0.2
NEXT_TO_NOTHING = Decimal("0.01")  # of the budget: when that is left, not each file is tried
_PERIOD_ENDS: dict[Period, tuple[str, str]] = {
    "day": ("midnight (UTC)", ", or wait"),
    "month": ("the month ends (UTC)", ", or wait"),
    "total": ("it is raised", ""),
}


class BudgetSpent(RagliveError):
    """Embedding would cost more than the budget has left, or ever had; nothing was sent."""

    code = "embedding_budget_spent"
    retryable = True


@dataclass(frozen=True, slots=True)
class Price:
    """What a million tokens cost, and how much may be spent in each period (UTC)."""

    per_million_tokens: float = 0.0
    budget: float | None = None
    period: Period = "month"

    def of(self, tokens: int) -> Decimal:
        """Return what tokens cost."""
        return Decimal(str(self.per_million_tokens)) * tokens / 1_000_000


class Budget:
    """Guards one pipeline's spending, in all its processes. What is under way counts as spent."""

    def __init__(self, spending: Spending, price: Price) -> None:
        self._spending = spending
        self.price = price

    def guess(self, texts: Sequence[str]) -> Decimal:
        """Return about what texts will cost."""
        return self.price.of(sum(len(text.encode()) for text in texts) // BYTES_PER_TOKEN)

    @asynccontextmanager
    async def reserved(self, texts: Sequence[str]) -> AsyncIterator[int | None]:
        """Reserve what all of the texts will cost; yield the reservation, None without a budget.

        Raises `BudgetSpent`.
        """
        if self.price.budget is None:
            yield None
            return
        reservation = await self._reserve(self.guess(texts), Decimal(str(self.price.budget)))
        try:
            yield reservation
        finally:
            with suppress(*DATABASE_ERRORS):  # it expires
                await self._spending.release(reservation)

    async def pause(self) -> PauseReason | None:
        """Return why nothing can be embedded now; None while something can."""
        if self.price.budget is None:
            return None
        budget = Decimal(str(self.price.budget))
        left = budget - await self._spent()
        if left > budget * NEXT_TO_NOTHING:
            return None
        if left > 0 and not await self._spending.files_wait_for_budget():
            return None
        but = f" but for {_money(left)}, and what is next costs more" if left > 0 else ""
        why = f"{self._name.capitalize()} is spent{but}."
        until, or_wait = _PERIOD_ENDS[self.price.period]
        advice = f"Raise RAGLIVE_EMBEDDING_BUDGET and start the pipeline again{or_wait}."
        return PauseReason(BudgetSpent.code, why, f"Files wait until {until}.", advice)

    async def _reserve(self, expected: Decimal, budget: Decimal) -> int:
        """Reserve, waiting a while for requests that may turn out cheaper than was reserved."""
        costs = f"Embedding costs about {_money(expected)}"
        if expected > budget:
            raise self._too_much(
                f"{costs}, more than all of {self._name}.", "embedding_budget_too_small"
            )
        deadline = asyncio.get_running_loop().time() + OTHERS_SECONDS
        while (made := await self._patiently(expected, budget)) == 0:
            if asyncio.get_running_loop().time() > deadline:
                raise BudgetSpent(
                    f"{costs}; files in progress may need what {self._name} has left."
                )
            await asyncio.sleep(LOOK_SECONDS)
        if made is None:
            left = _money(max(Decimal(0), budget - await self._spent()))
            raise self._too_much(f"{costs}; of {self._name}, {left} was left.", BudgetSpent.code)
        return made

    def _too_much(self, why: str, code: str) -> BudgetSpent:
        wait = self._next_begin() - datetime.now(UTC)
        return BudgetSpent(why, code=code, retry_after_ms=int(wait.total_seconds() * 1000))

    async def _patiently(self, expected: Decimal, budget: Decimal) -> int | None:
        begin = self._begin()
        return await retry_transient(
            lambda: self._spending.reserve(expected, budget, begin),
            within_seconds=DATABASE_PATIENCE_SECONDS,
            what="reserving what embedding costs",
        )

    async def _spent(self) -> Decimal:
        return (await self._spending.since(self._begin())).cost

    @property
    def _name(self) -> str:
        of = {"day": "today's", "month": "this month's"}.get(self.price.period, "the")
        return f"{of} embedding budget of {self.price.budget:g}"

    def _begin(self) -> date:
        today = datetime.now(UTC).date()
        if self.price.period == "total":
            return date(1970, 1, 1)
        return today if self.price.period == "day" else today.replace(day=1)

    def _next_begin(self) -> datetime:
        """When there may be more to spend; what never ends is looked at again after a day."""
        now, day = datetime.now(UTC), timedelta(days=1)
        midnight = datetime.combine(now.date(), time(), UTC)
        if self.price.period == "month":
            return (midnight.replace(day=1) + 32 * day).replace(day=1)
        return midnight + day if self.price.period == "day" else now + day


def _money(cost: Decimal) -> str:
    return f"{cost:.2f}" if cost >= 1 else f"{cost:.2g}"
