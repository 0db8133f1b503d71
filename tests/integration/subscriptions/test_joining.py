"""A viewer that joins gets every event after its cursor once, and its exact position."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from raglive.bus.postgres import PostgresBus
from raglive.status_server.subscriptions import ring
from raglive.store.log.event_log import EventLog, Head, LoggedEvent
from raglive.store.pool import Database
from raglive.store.registry.pipelines import PipelineRecord
from raglive_contract.cursor import Cursor, Start, parse_cursor
from tests.integration.subscriptions.room import PIPELINE, Room, cursor_at, following, update


async def publish(database: Database, count: int, **changes: Any) -> None:
    events = [update(**changes) for _ in range(count)]
    await EventLog(database).publish(PIPELINE, "local_files", events)


@asynccontextmanager
async def publishing(database: Database, seed: int) -> AsyncIterator[None]:
    """Publish continuously, one or several events at a time."""
    randomness = random.Random(seed)

    async def run() -> None:
        while True:
            await publish(database, randomness.choice([1, 1, 1, 7]))

    task = asyncio.create_task(run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_answers_hold_at_their_cursor_while_events_are_published(
    database: Database, pipeline: PipelineRecord, room: Room
) -> None:
    await publish(database, 20)
    (head,) = await EventLog(database).heads()
    async with publishing(database, 7):
        joined = []
        for number in range(120):
            start = [None, cursor_at(head, number % 20), Cursor(), Cursor(otherwise=Start.NOW)]
            joined.append((start[number % 4], *await room.sit(start[number % 4])))
    (head,) = await EventLog(database).heads()
    await room.until(lambda: room.delivered and room.delivered[-1].seq == head.seq)
    for cursor, seat, recovery in joined:
        assert recovery.snapshot["cursor"] == str(recovery.position)
        assert recovery.snapshot["digest"] == recovery.digest.hex()
        assert recovery.digest == await EventLog(database).digest_at(head, recovery.position.seq)
        assert recovery.recovered is (cursor is not None)
        first = recovery.position.seq
        if cursor is not None and cursor.otherwise is not Start.NOW:
            first = cursor.positions[head.epoch].seq if cursor.positions else 0
        assert seat.seqs == list(range(first + 1, head.seq + 1))


class CountingLog(EventLog):
    """Counts the pages that are read of the log."""

    pages = 0

    async def read_after(self, head: Head, seq: int, limit: int) -> list[LoggedEvent]:
        self.pages += 1
        return await super().read_after(head, seq, limit)


async def test_events_before_the_ring_are_read_once_for_all_viewers(
    database: Database, pipeline: PipelineRecord
) -> None:
    await publish(database, 2300)
    event_log = CountingLog(database)
    async with (
        PostgresBus(database.dsn) as bus,
        following(event_log, bus, database) as room,
    ):
        [head] = room.hub.heads()
        seats = await asyncio.gather(*(room.sit(cursor_at(head, 100)) for _ in range(50)))
        assert event_log.pages == 3
        for seat, recovery in seats:
            assert recovery.recovered
            assert seat.seqs == list(range(101, 2301))


async def test_a_cursor_from_a_server_that_is_ahead_is_resumed(
    database: Database, pipeline: PipelineRecord
) -> None:
    await publish(database, 1)
    async with PostgresBus(database.dsn) as bus:
        slow = Room(EventLog(database), bus, database)  # its hub does not follow by itself
        await slow.hub.snapshot(PIPELINE)  # which is cached for a second
        await publish(database, 3)
        [head] = slow.hub.heads()
        for seq, recovered in ((3, True), (5, False)):
            seat, recovery = await slow.sit(cursor_at(head, seq))
            assert recovery.recovered is recovered
            assert seat.seqs == ([4] if recovered else [])
            assert recovery.position.seq == 4


async def test_a_viewer_that_missed_too_much_gets_a_snapshot(
    database: Database, pipeline: PipelineRecord, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    await publish(database, 1)
    await room.until(lambda: room.started)
    monkeypatch.setattr(
        ring.Ring.__init__, "__kwdefaults__", {"max_messages": 5, "max_bytes": 10**6}
    )
    async with (
        PostgresBus(database.dsn) as bus,
        following(EventLog(database), bus, database) as small,
    ):
        await publish(database, 9)
        await small.until(lambda: small.delivered and small.delivered[-1].seq == 10)
        [head] = small.hub.heads()
        for seq, recovered in ((4, False), (5, True), (10, True), (11, False)):
            seat, recovery = await small.sit(cursor_at(head, seq))
            assert recovery.recovered is recovered
            assert seat.seqs == (list(range(seq + 1, 11)) if recovered else [])
            assert recovery.position.seq == 10


async def test_events_too_large_for_the_ring_are_replaced_by_a_snapshot(
    database: Database, pipeline: PipelineRecord, room: Room
) -> None:
    await publish(database, 1)
    await publish(database, 12, filler="x" * 900_000)
    [head] = await EventLog(database).heads()
    await room.until(lambda: room.delivered and room.delivered[-1].seq == 13)
    seat, recovery = await room.sit(cursor_at(head, 1))
    assert (recovery.recovered, seat.seqs, recovery.position.seq) == (False, [], 13)
    seat, recovery = await room.sit(cursor_at(head, 8))
    assert (recovery.recovered, seat.seqs) == (True, [9, 10, 11, 12, 13])


async def test_a_cursor_of_several_pipelines(database: Database, room: Room) -> None:
    for name in ("one", "two", "new"):
        await EventLog(database).publish(name, "local_files", [update(), update()])
    heads = {head.pipeline_id: head for head in await EventLog(database).heads()}
    cursor = Cursor.of(
        [heads["one"].position, cursor_at(heads["two"], 1).positions[heads["two"].epoch]]
    )
    missed = {}
    for name in heads:
        seat, recovery = await room.sit(cursor, name, among=list(heads))
        missed[name] = (recovery.recovered, seat.seqs)
    assert missed == {"one": (True, []), "two": (True, [2]), "new": (True, [1, 2])}
    seat, recovery = await room.sit(cursor, "new", among=["new"])
    assert (recovery.recovered, seat.seqs) == (False, [])


async def test_a_snapshot_is_never_old(
    database: Database, pipeline: PipelineRecord, room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    await publish(database, 1)
    before = await room.hub.snapshot(PIPELINE)
    monkeypatch.setattr("raglive.status_server.subscriptions.channel.SNAPSHOT_SECONDS", -1.0)
    await pipeline.heartbeat(
        uptime_seconds=1, memory_bytes=1, is_checking=True, last_check=None, next_check=None
    )
    after = await room.hub.snapshot(PIPELINE)
    assert (before["is_checking"], after["is_checking"]) == (False, True)
    assert parse_cursor(before["cursor"]) == parse_cursor(after["cursor"])
