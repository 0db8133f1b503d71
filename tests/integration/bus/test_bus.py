"""What every bus does: over Postgres, and over Redis with Postgres."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from raglive.bus.bus import Bus, Hint
from raglive.bus.postgres import PostgresBus
from raglive.bus.redis import RedisBus
from raglive.store.pool import Database
from raglive.store.registry.pipelines import PipelineRecord
from tests.redis_server import running_redis

from .following import listening, numbered

OpenBus = Callable[[str], Bus]  # by the address of a database


@pytest.fixture(params=["postgres", "redis"])
async def open_bus(request: pytest.FixtureRequest) -> AsyncIterator[OpenBus]:
    opened: list[Bus] = []

    def open_one(dsn: str) -> Bus:
        postgres = PostgresBus(dsn)
        bus = postgres if url is None else RedisBus(url, "test", postgres)
        opened.append(bus)
        return bus

    if request.param == "postgres":
        url = None
        yield open_one
    else:
        async with running_redis() as server:
            url = server.url
            yield open_one
    for bus in opened:
        await bus.close()
        await bus.close()


async def test_a_commit_is_a_hint_with_the_new_head(
    open_bus: OpenBus, dsn: str, pipeline: PipelineRecord
) -> None:
    async with listening(open_bus(dsn)) as heard:
        await pipeline.announce_online(60, "/documents")
        await pipeline.announce_offline("normal_shutdown")
        await heard.until(lambda: heard.hints[-1:] == [Hint(pipeline.key, 2)])


async def test_hints_wait_merged_and_live_events_in_their_order(
    open_bus: OpenBus, dsn: str, pipeline: PipelineRecord
) -> None:
    sender = open_bus(dsn)
    async with listening(open_bus(dsn)) as heard, listening(open_bus(dsn)) as also:
        for number in range(50):
            await pipeline.announce_online(number, "/documents")
            await sender.send([numbered(number)])
        for each in (heard, also):
            await each.until(lambda: len(each.numbers) == 50 and each.hints[-1].seq == 50)  # noqa: B023
            assert each.numbers == list(range(50))
            seqs = [hint.seq for hint in each.hints]
            assert seqs == sorted(seqs)


async def test_many_and_long_events_arrive(open_bus: OpenBus, dsn: str) -> None:
    events = [numbered(n, name="é" * (n * 13 % 1900)) for n in range(200)]
    bus = open_bus(dsn)
    async with listening(bus) as heard:
        await bus.send([])
        await bus.send(events)
        await heard.until(lambda: len(heard.events) >= len(events))
    assert heard.events == events


async def test_who_listens_without_live_events_gets_hints(
    open_bus: OpenBus, dsn: str, pipeline: PipelineRecord
) -> None:
    bus = open_bus(dsn)
    messages = bus.listen(live=False)
    await anext(messages)
    await bus.send([numbered(1)])
    await pipeline.announce_online(60, "/documents")
    async with asyncio.timeout(10):
        assert await anext(messages) == Hint(pipeline.key, 1)
    await messages.aclose()


async def test_closing_leaves_no_session_behind(
    open_bus: OpenBus, dsn: str, database: Database
) -> None:
    bus = open_bus(dsn)
    async with listening(bus):
        await bus.send([numbered(1)])
    await bus.close()
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'raglive bus%' "
    async with asyncio.timeout(10):
        # Postgres does not notify when a session has ended
        while await database.fetchval(sessions + "AND datname = current_database()"):
            await asyncio.sleep(0.01)
