"""Poolers are detected by what they do: PgBouncer on an ordinary port, in each of its modes."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from raglive.bus.bus import Hint, Reconnected
from raglive.bus.postgres import PostgresBus
from raglive.store.errors import DatabaseMisconfigured
from raglive.store.index.reindexing import ReindexRefused, reindexing
from raglive.store.index.vector_space import choose_vector_space
from raglive.store.log.event_log import EventLog
from raglive.store.pool import Database
from raglive.store.registry.pipelines import PipelineRecord
from tests.conftest import VECTOR_SPACE
from tests.pgbouncer import running_pgbouncer


async def test_the_database_itself_gives_sessions(database: Database) -> None:
    assert database.listens


async def test_a_session_pooler_gives_sessions(dsn: str) -> None:
    async with running_pgbouncer(dsn, "session", pool_size=8) as address:
        database = await Database.connect(address, name="test")
        assert database.listens
        await use_concurrently(database)
        await database.close()


@pytest.mark.parametrize(("pool_size", "round_robin"), [(1, False), (2, True), (3, False)])
async def test_a_transaction_pooler_is_used_without_sessions(
    dsn: str, pool_size: int, round_robin: bool
) -> None:
    async with running_pgbouncer(
        dsn, "transaction", pool_size=pool_size, round_robin=round_robin
    ) as address:
        database = await Database.connect(address, name="test")
        assert not database.listens
        await use_concurrently(database)
        await database.close()


async def use_concurrently(database: Database) -> None:
    """Run different statements at once, which fail when prepared ones meet another process."""

    async def calculate(number: int) -> None:
        for _ in range(10):
            query = f"SELECT $1::integer + {number}"
            assert await database.fetchval(query, number) == 2 * number

    async with asyncio.TaskGroup() as tasks:
        for number in range(4):
            tasks.create_task(calculate(number))


async def test_a_statement_pooler_is_refused(dsn: str) -> None:
    async with running_pgbouncer(dsn, "statement") as address:
        with pytest.raises(DatabaseMisconfigured, match="permits no transactions") as refused:
            await Database.connect(address, name="test")
    assert ":any@" not in refused.value.message


async def test_events_arrive_and_reindexing_is_refused_through_a_transaction_pooler(
    dsn: str,
) -> None:
    async with running_pgbouncer(dsn, "transaction") as address:
        database = await Database.connect(address, name="test")
        await choose_vector_space(database, VECTOR_SPACE)
        record = await PipelineRecord.register(database, "somebody", "local_files")
        with pytest.raises(ReindexRefused, match=r"transaction pooler.*Set DATABASE_URL"):
            async with reindexing(database):
                pass
        async with (
            asyncio.timeout(10),
            PostgresBus(database.dsn, listens=database.listens) as bus,
            aclosing(bus.listen()) as messages,
        ):
            assert isinstance(await anext(messages), Reconnected)
            head = next(iter(await EventLog(database).heads()))
            assert await anext(messages) == Hint(record.key, head.position.seq)
        await database.close()
