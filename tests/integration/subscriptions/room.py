"""Viewers of a hub without a server between."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import orjson
from uuid6 import uuid7

from raglive.bus.postgres import PostgresBus
from raglive.status_server.subscriptions.channel import Opening
from raglive.status_server.subscriptions.hub import Hub
from raglive.status_server.subscriptions.messages import Message
from raglive.store.log.event_log import EventLog, Head
from raglive.store.log.pipeline_status import PipelineReads
from raglive.store.pool import Database
from raglive_contract.cursor import Cursor, Position

__all__ = ["PIPELINE", "Room", "Seat", "cursor_at", "following", "update"]

PIPELINE = "local-files-pipeline"
SECONDS = 15


class Seat:
    """One viewer: what it missed, and what followed."""

    def __init__(self) -> None:
        self.opening: Opening | None = None
        self.live: list[Message] = []

    @property
    def seqs(self) -> list[int | None]:
        assert self.opening
        return [one.seq for one in [*self.opening.missed, *self.live]]


class Room:
    """All viewers of a hub, and the pipelines it welcomed."""

    def __init__(self, event_log: EventLog, bus: PostgresBus, database: Database) -> None:
        self.hub = Hub(
            event_log,
            PipelineReads(database),
            bus,
            self._deliver,
            self._welcome,
            heartbeat_interval_seconds=30,
        )
        self.seats: list[Seat] = []
        self.delivered: list[Message] = []
        self.welcomed: list[Head] = []
        self._changed = asyncio.Event()

    async def sit(
        self, cursor: Cursor | None = None, pipeline_id: str = PIPELINE, **more: Any
    ) -> tuple[Seat, Opening]:
        seat = Seat()

        def join(opening: Opening) -> None:
            seat.opening = opening
            self.seats.append(seat)

        return seat, await self.hub.open(pipeline_id, cursor, join, **more)

    async def until(self, condition: Callable[[], Any]) -> None:
        """Wait until what was delivered or welcomed meets a condition."""
        async with asyncio.timeout(SECONDS):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def _deliver(self, _head: Head, messages: Sequence[Message]) -> None:
        self.delivered += messages
        for seat in self.seats:
            seat.live += messages
        self._changed.set()

    def _welcome(self, head: Head) -> None:
        self.welcomed.append(head)
        self._changed.set()


@asynccontextmanager
async def following(
    event_log: EventLog, bus: PostgresBus, database: Database
) -> AsyncIterator[Room]:
    """A room whose hub follows the log."""
    room = Room(event_log, bus, database)
    running = asyncio.create_task(room.hub.run())
    try:
        async with asyncio.timeout(SECONDS):
            while room.hub.lag_seconds == float("inf"):
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


def update(**changes: Any) -> dict[str, Any]:
    return {"id": str(uuid7()), "type": "status:update", "changes": changes}


def cursor_at(head: Head, seq: int) -> Cursor:
    return Cursor.of([Position(head.epoch, seq)])


def bodies(messages: Sequence[Message]) -> list[Any]:
    return [orjson.loads(one.body) for one in messages]
