"""Viewers that are connected to a hub directly, without a server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson

from raglive.bus.postgres import PostgresBus
from raglive.status_server.subscriptions.channel import Recovery
from raglive.status_server.subscriptions.hub import Hub
from raglive.status_server.subscriptions.messages import Message
from raglive.store.log.event_log import EventLog, Head
from raglive.store.log.new_events import status_update
from raglive.store.log.pipeline_status import PipelineReads
from raglive.store.pool import Database
from raglive_contract.cursor import Cursor, Position
from raglive_contract.wire import NewStatusUpdate

__all__ = ["PIPELINE", "Room", "Seat", "cursor_at", "following", "update"]

PIPELINE = "local-files-pipeline"
SECONDS = 15


class Seat:
    """A viewer, with the events that it missed and the live events."""

    def __init__(self) -> None:
        self.recovery: Recovery | None = None
        self.live: list[Message] = []

    @property
    def seqs(self) -> list[int | None]:
        assert self.recovery
        return [one.seq for one in [*self.recovery.missed, *self.live]]


class Room:
    """All viewers of a hub, and the logs that it started.

    Summaries are sent of the pipelines in `watched`.
    """

    def __init__(self, event_log: EventLog, bus: PostgresBus, database: Database) -> None:
        self.hub = Hub(
            event_log,
            PipelineReads(database),
            bus,
            self._deliver,
            on_log_started=self._log_started,
            watched=lambda: self.watched,
            heartbeat_interval_seconds=30,
        )
        self.seats: list[Seat] = []
        self.watched: set[str] = set()
        self.delivered: list[Message] = []
        self.started: list[Head] = []
        self.times: list[float] = []  # of summaries
        self._changed = asyncio.Event()

    async def sit(
        self, cursor: Cursor | None = None, pipeline_id: str = PIPELINE, **more: Any
    ) -> tuple[Seat, Recovery]:
        seat = Seat()

        def join(recovery: Recovery) -> None:
            seat.recovery = recovery
            self.seats.append(seat)

        return seat, await self.hub.open(pipeline_id, cursor, join, **more)

    async def until(self, condition: Callable[[], Any]) -> None:
        """Wait until what was delivered or started meets a condition."""
        async with asyncio.timeout(SECONDS):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def _deliver(self, _head: Head, messages: Sequence[Message]) -> None:
        self.delivered += messages
        if messages[0].type == "pipeline:summary":
            self.times.append(asyncio.get_running_loop().time())
        for seat in self.seats:
            seat.live += messages
        self._changed.set()

    def _log_started(self, head: Head) -> None:
        self.started.append(head)
        self._changed.set()


@asynccontextmanager
async def following(
    event_log: EventLog, bus: PostgresBus, database: Database
) -> AsyncIterator[Room]:
    """A room whose hub follows the log and listens to the bus: what is sent now arrives."""
    room = Room(event_log, bus, database)
    running = asyncio.create_task(room.hub.run())
    try:
        async with asyncio.timeout(SECONDS):
            while float("inf") in {room.hub.lag_seconds, *bus.silent_seconds.values()}:
                assert not running.done(), running
                await asyncio.sleep(0.01)
        yield room
    finally:
        running.cancel()
        async with asyncio.timeout(5):
            assert isinstance(
                (await asyncio.gather(running, return_exceptions=True))[0], BaseException
            )
        assert running.cancelled(), running.exception()


def update(**changes: object) -> NewStatusUpdate:
    return status_update(changes)


def cursor_at(head: Head, seq: int) -> Cursor:
    return Cursor.of([Position(head.epoch, seq)])


def bodies(messages: Sequence[Message]) -> list[Any]:
    return [orjson.loads(one.body) for one in messages]
