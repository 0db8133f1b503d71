"""What embedding costs: recorded usage, and reservations within a budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

import asyncpg

from raglive.store.pool import Connection, Database
from raglive.store.sql import load_queries
from raglive_contract.wire import WireEmbeddingBudget, WireEmbeddingUsage

__all__ = ["NOTHING", "Draw", "Spending", "Usage", "budgets", "usage_of_file", "usage_of_pipelines"]

_QUERIES = load_queries(__name__)

# A request renews its reservation with each batch; if none comes for so long, its process has died.
RESERVATION_SECONDS = 900.0


@dataclass(frozen=True, slots=True)
class Usage:
    """What was embedded: texts, tokens, and their cost in the currency of the price."""

    texts: int
    tokens: int
    cost: Decimal

    def wire(self) -> WireEmbeddingUsage:
        """Return the wire form, with the cost as a number."""
        return {"texts": self.texts, "tokens": self.tokens, "cost": float(self.cost)}


NOTHING = Usage(0, 0, Decimal(0))


@dataclass(frozen=True, slots=True)
class Draw:
    """A part of a reservation that recorded usage replaces."""

    reservation_id: int
    cost: Decimal


class Spending:
    """The embedding costs of one pipeline, shared by all of its processes."""

    def __init__(self, database: Database, pipeline_key: int) -> None:
        self._database = database
        self._pipeline_key = pipeline_key

    async def since(self, day: date) -> Usage:
        """Return the usage from a day (UTC) on."""
        used = await usage_of_pipelines(self._database, [self._pipeline_key], day)
        return used.get(self._pipeline_key, NOTHING)

    async def record(
        self,
        connection: Connection,
        model: str,
        usage: Mapping[int, Usage],
        draw: Draw | None = None,
    ) -> None:
        """Add usage by file key, and take its estimate out of the reservation that covered it."""
        rows = [
            (self._pipeline_key, file_key, model, one.texts, one.tokens, one.cost)
            for file_key, one in sorted(usage.items())
        ]
        await connection.executemany(_QUERIES["record_usage"], rows)
        if draw is not None:
            args = (draw.reservation_id, draw.cost, RESERVATION_SECONDS)
            await connection.execute(_QUERIES["draw"], *args)

    async def reserve(self, cost: Decimal, budget: Decimal, since: date) -> int | None:
        """Reserve a cost within the budget of the period that began on a day (UTC).

        Returns the reservation's id; 0 if other reservations leave no room for it, which may
        change when their requests end; None if recorded usage leaves no room.
        """
        args = (self._pipeline_key, since, cost, budget, RESERVATION_SECONDS)
        reservation_id: int | None = await self._database.fetchval(_QUERIES["reserve"], *args)
        return reservation_id

    async def release(self, reservation_id: int) -> None:
        """Delete a reservation; idempotent."""
        await self._database.execute(_QUERIES["release"], reservation_id)

    async def files_wait_for_budget(self) -> bool:
        """Return whether files wait because they cost more than the budget has left."""
        query = _QUERIES["files_wait_for_budget"]
        return bool(await self._database.fetchval(query, self._pipeline_key))


async def usage_of_pipelines(
    reader: Connection | Database, pipeline_keys: Sequence[int], since: date
) -> dict[int, Usage]:
    """Return what pipelines have used from a day (UTC) on, without those that used nothing."""
    rows = await reader.fetch(_QUERIES["usage_of_pipelines"], pipeline_keys, since)
    return {row["pipeline_key"]: _usage(row) for row in rows}


async def usage_of_file(database: Database, file_key: int) -> Usage:
    """Return what a file has used in all."""
    return _usage(await database.fetchrow(_QUERIES["file_usage"], file_key))


async def budgets(
    reader: Connection | Database, pipeline_keys: Sequence[int]
) -> dict[int, WireEmbeddingBudget]:
    """Return the budgets of pipelines, without those that have no limit."""
    rows = await reader.fetch(_QUERIES["budgets"], pipeline_keys)
    return {
        row["pipeline_key"]: {
            "amount": row["amount"],
            "period": row["period"],
            "spent": row["spent"],
        }
        for row in rows
    }


def _usage(row: asyncpg.Record | None) -> Usage:
    assert row is not None, "an aggregate has a row"
    return Usage(row["texts"], row["tokens"], Decimal(str(row["cost"])))
