"""The log as one stream of events, as `raglive tail` prints it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing

import pytest

from raglive.bus.postgres import PostgresBus
from raglive.log_reader import tail as module
from raglive.log_reader.tail import tail_log
from raglive.store.log.event_log import EventLog
from raglive.store.pool import Database
from raglive_contract.cursor import Cursor, Position, Start, parse_cursor
from raglive_contract.errors import RagliveError
from raglive_contract.wire import WireDurableEvent
from tests.integration.subscriptions.room import update
from tests.relay import Relay

OF_ANOTHER_PROGRAM = """
SELECT raglive.publish('crawler', 'file:processing', '{
    "file": {"id": "a", "name": "a", "started_at": "2026-01-02T03:04:05Z"},
    "processing_stage": "extraction", "attempt": 1}', pipeline_type => 'imports');
SELECT raglive.publish('crawler', 'pipeline:offline', '{
    "shutdown_at": "2026-01-02T03:04:06Z", "reason": "error"}')
"""
Events = AsyncGenerator[WireDurableEvent]


async def publish(database: Database, pipeline_id: str, count: int) -> None:
    events = [update() for _ in range(count)]
    await EventLog(database).publish(pipeline_id, "local_files", events)


async def next_of(events: Events, count: int) -> list[tuple[str, int]]:
    async with asyncio.timeout(15):
        seen = [await anext(events) for _ in range(count)]
    return [(event["pipeline_id"], event["seq"]) for event in seen]


async def test_it_yields_every_pipeline_in_order_and_continues(database: Database) -> None:
    await publish(database, "a", 2300)
    await publish(database, "b", 2)
    async with (
        PostgresBus(database.dsn) as bus,
        aclosing(tail_log(EventLog(database), bus, Cursor())) as events,
    ):
        seen = await next_of(events, 2302)
        assert [seq for id_, seq in seen if id_ == "a"] == list(range(1, 2301))
        await publish(database, "new", 2)
        assert await next_of(events, 2) == [("new", 1), ("new", 2)]
        await publish(database, "a", 1)
        assert await next_of(events, 1) == [("a", 2301)]


async def test_now_starts_at_the_head_and_a_cursor_after_its_event(database: Database) -> None:
    await publish(database, "a", 5)
    await publish(database, "b", 5)
    heads = {head.pipeline_id: head for head in await EventLog(database).heads()}
    at_three = Cursor.of([Position(heads["a"].epoch, 3), heads["b"].position])
    async with PostgresBus(database.dsn) as bus:
        log = EventLog(database)
        async with (
            aclosing(tail_log(log, bus, Cursor(otherwise=Start.NOW))) as from_now,
            aclosing(tail_log(log, bus, at_three)) as from_three,
            aclosing(tail_log(log, bus, Cursor(), pipeline_id="b")) as only_b,
        ):
            assert await next_of(from_three, 2) == [("a", 4), ("a", 5)]
            assert await next_of(only_b, 5) == [("b", seq) for seq in range(1, 6)]
            first = asyncio.ensure_future(anext(from_now))
            async with asyncio.timeout(15):
                while not first.done():  # no other signal shows that it has begun
                    await asyncio.wait({first}, timeout=0.2)
                    await publish(database, "a", 1)
            assert first.result()["seq"] > 5


@pytest.mark.parametrize("seq", [9, None], ids=["ahead of the log", "of another log"])
async def test_a_cursor_that_is_not_of_this_log_is_refused(
    database: Database, seq: int | None
) -> None:
    await publish(database, "a", 2)
    [head] = await EventLog(database).heads()
    cursor = Cursor.of([Position(head.epoch if seq else "0another", seq or 1)])
    async with PostgresBus(database.dsn) as bus:
        with pytest.raises(RagliveError) as refused:
            await next_of(tail_log(EventLog(database), bus, cursor), 1)
    assert refused.value.code == "cursor_expired"


@pytest.mark.disagrees
async def test_missing_events_are_never_passed_over(database: Database) -> None:
    await publish(database, "a", 4)
    await database.execute("DELETE FROM raglive.events WHERE seq = 3")
    async with (
        PostgresBus(database.dsn) as bus,
        aclosing(tail_log(EventLog(database), bus, parse_cursor("-1"))) as events,
    ):
        assert await next_of(events, 2) == [("a", 1), ("a", 2)]
        with pytest.raises(RagliveError, match="no longer kept"):
            await next_of(events, 1)


async def test_until_idle_it_ends(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    await publish(database, "a", 3)
    async with PostgresBus(database.dsn) as bus, asyncio.timeout(15):
        log = EventLog(database)
        seen = [event["seq"] async for event in tail_log(log, bus, Cursor(), until_idle=True)]
        assert seen == [1, 2, 3]
        await database.execute(OF_ANOTHER_PROGRAM)
        assert len([event async for event in tail_log(log, bus, Cursor(), until_idle=True)]) == 5
        monkeypatch.setattr(module, "FIRST_PIPELINE_SECONDS", 0.1)
        none = tail_log(log, bus, Cursor(), pipeline_id="missing", until_idle=True)
        assert [event async for event in none] == []


async def test_it_waits_for_a_database_that_is_away(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await publish(database, "a", 1)
    async with Relay(database.dsn) as relay:
        through = await Database.connect(relay.dsn, name="tail")
        async with (
            PostgresBus(relay.dsn) as bus,
            aclosing(tail_log(EventLog(through), bus, Cursor())) as events,
        ):
            assert await next_of(events, 1) == [("a", 1)]
            await relay.cut()
            coming = asyncio.ensure_future(next_of(events, 1))
            await publish(database, "a", 1)
            await asyncio.wait({coming}, timeout=0.3)
            await relay.restore()
            assert await coming == [("a", 2)]
            await relay.cut()
            monkeypatch.setattr(module, "OUTAGE_SECONDS", 0.2)
            with pytest.raises(RagliveError, match="did not answer"):
                await next_of(events, 1)
        await through.close()
