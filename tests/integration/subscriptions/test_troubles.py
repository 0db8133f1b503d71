"""Failures of a hub: missing hints, hanging connections, malformed messages, replaced logs."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from raglive.bus.postgres import PostgresBus
from raglive.store.log.event_log import EventLog
from raglive.store.pool import Database
from raglive.store.registry.pipelines import PipelineRecord
from raglive_contract.errors import RagliveError
from tests.integration.subscriptions.room import (
    PIPELINE,
    Room,
    bodies,
    cursor_at,
    following,
    update,
)
from tests.relay import Relay

DURABLE = "status:update"


async def publish(database: Database, count: int = 1) -> None:
    events = [update() for _ in range(count)]
    await EventLog(database).publish(PIPELINE, "local_files", events)


async def arrival(room: Room, database: Database) -> float:
    """Publish an event; return the seconds until it is delivered."""
    before = len(room.delivered)
    await publish(database)
    committed = asyncio.get_running_loop().time()
    await room.until(lambda: len(room.delivered) > before)
    return asyncio.get_running_loop().time() - committed


@pytest.mark.parametrize("trouble", ["hints never come", "the listener is deaf"])
async def test_without_hints_the_log_is_polled(
    database: Database, pipeline: PipelineRecord, server_dsn: str, trouble: str
) -> None:
    async with Relay(database.dsn) as relay:
        elsewhere = server_dsn if trouble == "hints never come" else relay.dsn
        async with (
            PostgresBus(elsewhere) as bus,
            following(EventLog(database), bus, database) as room,
        ):
            relay.stall()
            times = [await arrival(room, database) for _ in range(4)]
            assert min(times) < 0.25 + 0.1
            await relay.restore()


async def test_a_silent_database_is_survived_and_does_not_delay_the_end(
    database: Database, pipeline: PipelineRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("raglive.log_reader.reader.READ_TIMEOUT_SECONDS", 0.3)
    async with Relay(database.dsn) as relay:
        through = await Database.connect(relay.dsn, name="hub")
        async with (
            PostgresBus(relay.dsn) as bus,
            following(EventLog(through), bus, through) as room,
        ):
            relay.stall()
            async with asyncio.timeout(10):
                while room.hub.lag_seconds < 1:
                    await asyncio.sleep(0.05)
            await publish(database)
            await relay.restore()
            await room.until(lambda: room.delivered)
            relay.stall()
        await relay.restore()
        await through.close()


async def test_a_database_outage_loses_nothing(
    database: Database, pipeline: PipelineRecord
) -> None:
    async with Relay(database.dsn) as relay:
        through = await Database.connect(relay.dsn, name="hub")
        async with (
            PostgresBus(relay.dsn) as bus,
            following(EventLog(through), bus, through) as room,
        ):
            await arrival(room, database)
            await relay.cut()
            await publish(database, 3)
            with pytest.raises((RagliveError, OSError)):
                await room.sit(pipeline_id="unknown")
            await relay.restore()
            await room.until(lambda: len(room.delivered) == 4)
            assert [one.seq for one in room.delivered] == [1, 2, 3, 4]
        await through.close()


async def test_garbage_on_the_bus_is_ignored(
    database: Database, pipeline: PipelineRecord, room: Room
) -> None:
    await room.until(lambda: room.started)
    garbage: list[Any] = [
        {},
        {"pipeline_id": PIPELINE},
        {"pipeline_id": ["x"], "type": "heartbeat"},
        {"pipeline_id": PIPELINE, "type": "file:completed"},
        {"pipeline_id": PIPELINE, "type": "file:progress", "file": "a", "attempt": 1},
        {"pipeline_id": PIPELINE, "type": "file:progress", "file": {"id": "a"}, "attempt": "1"},
        {"pipeline_id": PIPELINE, "type": "heartbeat", "head_seq": None},
        {"pipeline_id": PIPELINE, "type": ["heartbeat"]},
        {"pipeline_id": PIPELINE, "type": "file:progress", "file": {"id": ["a"]}, "attempt": 1},
    ]
    good: Any = {
        "pipeline_id": PIPELINE,
        "type": "file:progress",
        "file": {"id": "a"},
        "attempt": 1,
    }
    async with PostgresBus(database.dsn) as other:
        await other.send([*garbage, good])
        await room.until(lambda: room.delivered)
    assert bodies(room.delivered) == [good]


async def test_viewers_get_the_status_of_a_pipeline_that_is_created_again(
    database: Database, pipeline: PipelineRecord, room: Room
) -> None:
    await arrival(room, database)
    await database.execute("DELETE FROM raglive.pipelines")
    async with asyncio.timeout(10):
        while room.hub.heads():
            await asyncio.sleep(0.02)
    with pytest.raises(RagliveError, match="no pipeline"):
        await room.sit()
    old = room.started[0]
    await publish(database, 2)
    await room.until(lambda: len(room.started) == 2)
    _, recovery = await room.sit(cursor_at(old, 1))
    assert not recovery.recovered
    assert (recovery.position.seq, recovery.position.epoch) == (2, room.started[1].epoch)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(
            "UPDATE raglive.heads SET seq = 2, "
            "digest = (SELECT digest FROM raglive.events WHERE seq = 2)",
            id="it was cut back",
        ),
        pytest.param("DELETE FROM raglive.events WHERE seq = 5", id="an event is missing"),
        pytest.param("UPDATE raglive.events SET digest = sha256('x') WHERE seq = 5", id="others"),
    ],
)
@pytest.mark.disagrees
async def test_a_log_that_does_not_continue_is_restarted(
    database: Database, pipeline: PipelineRecord, damage: str
) -> None:
    async with Relay(database.dsn) as relay:
        through = await Database.connect(relay.dsn, name="hub")
        async with (
            PostgresBus(relay.dsn) as bus,
            following(EventLog(through), bus, through) as room,
        ):
            await publish(database, 4)
            await room.until(lambda: len(room.delivered) == 4)
            await relay.cut()
            if "seq = 2" in damage:
                await database.execute(damage)
                await database.execute("DELETE FROM raglive.events WHERE seq > 2")
            else:
                await publish(database, 2)
                await database.execute(damage)
            await relay.restore()
            await room.until(lambda: len(room.started) == 2)
            seat, recovery = await room.sit()
            assert len(room.delivered) == 4
            await publish(database)
            await room.until(lambda: seat.live)
            assert seat.seqs == [recovery.position.seq + 1]
        await through.close()


async def test_progress_is_sent_once_a_tick_and_heartbeats_with_their_events(
    database: Database, pipeline: PipelineRecord, room: Room
) -> None:
    await arrival(room, database)
    news: list[Any] = [
        {
            "pipeline_id": PIPELINE,
            "type": "file:progress",
            "file": {"id": "a"},
            "attempt": 1,
            "progress": done / 100,
        }
        for done in range(100)
    ]
    beat: Any = {"pipeline_id": PIPELINE, "type": "heartbeat", "head_seq": 2}
    async with PostgresBus(database.dsn) as other:
        await other.send([beat, *news])
        await room.until(lambda: "file:progress" in {one.type for one in room.delivered})
        sent = [one["progress"] for one in bodies(room.delivered) if "progress" in one]
        assert len(sent) < 20
        assert "heartbeat" not in {one.type for one in room.delivered}
        await publish(database)
        await room.until(lambda: "heartbeat" in {one.type for one in room.delivered})
    assert [one.type for one in room.delivered if one.type != "file:progress"] == [
        DURABLE,
        DURABLE,
        "heartbeat",
    ]
