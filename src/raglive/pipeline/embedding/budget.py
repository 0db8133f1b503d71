"""What embedding costs, and the budget that it must stay within."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Literal

from raglive.contract.errors import RagliveError
from raglive.database.errors import DATABASE_ERRORS, retry_transient
from raglive.database.kept import Kept
from raglive.pipeline.embedding.batches import BYTES_PER_TOKEN

__all__ = ["Budget", "BudgetSpent", "Period", "Price"]

Period = Literal["day", "month", "total"]

DATABASE_PATIENCE_SECONDS = 120.0
OTHERS_SECONDS = 60.0
LOOK_SECONDS = 0.2


class BudgetSpent(RagliveError):
    """Embedding would cost more than the budget allows; nothing was sent."""

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

    def __init__(self, kept: Kept, price: Price) -> None:
        self._kept = kept
        self.price = price
        self._refused_since: date | None = None

    @asynccontextmanager
    async def request(self, texts: Sequence[str]) -> AsyncIterator[int | None]:
        """Reserve what a request for texts will cost; yield the reservation, None without a budget.

        Raises `BudgetSpent`.
        """
        if self.price.budget is None:
            yield None
            return
        tokens = sum(len(text.encode()) for text in texts) // BYTES_PER_TOKEN
        reservation = await self._reserve(self.price.of(tokens), Decimal(str(self.price.budget)))
        try:
            yield reservation
        finally:
            with suppress(*DATABASE_ERRORS):  # it expires
                await self._kept.release(reservation)

    async def refusal(self) -> str | None:
        """Return why nothing can be embedded now; None while something can."""
        budget = self.price.budget
        if budget is None:
            return None
        spent = await self._spent()
        if spent < Decimal(str(budget)) and self._refused_since != self._begin():
            return None
        of = {"day": "today's ", "month": "this month's "}.get(self.price.period, "the ")
        return (
            f"Of {of}embedding budget of {budget:g}, {_money(spent)} is spent; what is next costs "
            "more than is left."
        )

    async def _reserve(self, expected: Decimal, budget: Decimal) -> int:
        """Reserve, waiting a while for requests that may turn out cheaper than was reserved."""
        begin = self._begin()
        deadline = asyncio.get_running_loop().time() + OTHERS_SECONDS
        while self._refused_since != begin:
            made = await self._patiently(expected, budget, begin)
            if made:
                return made
            if made is None:
                self._refused_since = begin
            elif asyncio.get_running_loop().time() > deadline:
                break
            else:
                await asyncio.sleep(LOOK_SECONDS)
        raise BudgetSpent("The embedding budget is spent; the file waits.")

    async def _patiently(self, expected: Decimal, budget: Decimal, begin: date) -> int | None:
        return await retry_transient(
            lambda: self._kept.reserve(expected, budget, begin),
            within_seconds=DATABASE_PATIENCE_SECONDS,
            what="reserving what embedding costs",
        )

    async def _spent(self) -> Decimal:
        return (await self._kept.spent(self._begin())).cost

    def _begin(self) -> date:
        today = datetime.now(UTC).date()
        if self.price.period == "total":
            return date(1970, 1, 1)
        return today if self.price.period == "day" else today.replace(day=1)


def _money(cost: Decimal) -> str:
    return f"{cost:.2f}" if cost >= 1 else f"{cost:.2g}"
