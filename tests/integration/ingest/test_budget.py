"""A budget that several processes share: reservations of one count as spent for the others."""

from __future__ import annotations

import asyncio
from decimal import Decimal

import numpy as np
import pytest

from raglive.embedding import budget as budgeting
from raglive.embedding.budget import Budget, BudgetConfig, BudgetSpent
from raglive.store.accounting.spending import Draw, Spending, Usage
from raglive.store.index.vector_cache import VectorCache
from raglive.store.index.vector_space import choose_vector_space
from raglive.store.pool import Database
from raglive.store.registry.pipelines import PipelineRecord
from tests.conftest import VECTOR_SPACE
from tests.integration.store.files import enqueue

PROCESSES = 4
TEXT = "four"  # one token by the estimate
PRICE = BudgetConfig(per_million_tokens=100_000.0, budget=1.0)  # 0.1 for each


async def budgets(pipeline: PipelineRecord) -> list[Budget]:
    await choose_vector_space(pipeline.database, VECTOR_SPACE)
    return [Budget(Spending(pipeline.database, pipeline.key), PRICE) for _ in range(PROCESSES)]


async def spend(budget: Budget, pipeline: PipelineRecord, number: int, cost: str) -> bool:
    """Embed a text at this cost; return whether the budget allowed it."""
    space = await choose_vector_space(pipeline.database, VECTOR_SPACE)
    cache = VectorCache(pipeline.database, space)
    file_key = await pipeline.database.fetchval("SELECT min(file_key) FROM raglive.files")
    vector = (number.to_bytes(32, "big"), np.ones(256, np.float32))
    try:
        async with budget.reserved([TEXT]) as reservation:
            assert reservation
            used = {file_key: Usage(1, 1, Decimal(cost))}
            draw = Draw(reservation, budget.estimate([TEXT]))
            await cache.add([vector], budget._spending, used, draw)
    except BudgetSpent:
        return False
    return True


async def test_processes_together_spend_no_more_than_there_is(
    database: Database, pipeline: PipelineRecord
) -> None:
    await enqueue(pipeline, "a")
    sharing = await budgets(pipeline)
    spent = await asyncio.gather(
        *(spend(sharing[n % PROCESSES], pipeline, n, "0.1") for n in range(40))
    )
    assert sum(spent) == 10
    assert await database.fetchval("SELECT sum(cost) FROM raglive.embedding_usage") == 1
    assert await database.fetchval("SELECT count(*) FROM raglive.embedding_reservations") == 0
    for budget in sharing:
        paused = await budget.pause()
        assert paused
        assert "budget of 1 is spent" in paused.why


async def test_smaller_texts_continue_when_larger_ones_do_not_fit(
    pipeline: PipelineRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The texts of a file are embedded completely or not at all, by any process."""
    monkeypatch.setattr(budgeting, "RESERVATION_TIMEOUT_SECONDS", 0.0)
    await enqueue(pipeline, "a")
    sharing = await budgets(pipeline)
    async with sharing[0].reserved([TEXT] * 6):
        assert (await refused(sharing[1], 11)).code == "embedding_budget_too_small"
        crowded = await refused(sharing[1], 5)
        assert (crowded.code, crowded.retry_after_ms) == ("embedding_budget_spent", None)
        assert await spend(sharing[2], pipeline, 1, "0.1")
    for number in range(2, 7):
        assert await spend(sharing[number % PROCESSES], pipeline, number, "0.1")
    late = await refused(sharing[3], 5)
    assert "of this month's embedding budget of 1, 0.4 was left" in late.message
    assert 0 < (late.retry_after_ms or 0) <= 31 * 86_400_000
    assert await sharing[3].pause() is None
    async with sharing[0].reserved([TEXT] * 4):
        pass


async def refused(budget: Budget, texts: int) -> BudgetSpent:
    with pytest.raises(BudgetSpent) as caught:
        async with budget.reserved([TEXT] * texts):
            pass
    return caught.value


async def test_unused_parts_of_a_reservation_are_released(
    database: Database, pipeline: PipelineRecord
) -> None:
    await enqueue(pipeline, "a")
    sharing = await budgets(pipeline)
    spent = await asyncio.gather(
        *(spend(sharing[n % PROCESSES], pipeline, n, "0.02") for n in range(40))
    )
    assert all(spent)
    assert await database.fetchval("SELECT sum(cost) FROM raglive.embedding_usage") == Decimal(
        "0.8"
    )


async def test_reservations_of_a_dead_process_expire(
    database: Database, pipeline: PipelineRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    await enqueue(pipeline, "a")
    monkeypatch.setattr(budgeting, "RESERVATION_TIMEOUT_SECONDS", 0.0)
    [dead, budget, *_] = await budgets(pipeline)
    await dead._spending.reserve(Decimal(1), Decimal(1), dead._period_start())
    assert not await spend(budget, pipeline, 1, "0.1")
    assert await budget.pause() is None  # requests in flight may cost less
    await database.execute("UPDATE raglive.embedding_reservations SET expires_at = now()")
    assert await spend(budget, pipeline, 1, "0.1")
