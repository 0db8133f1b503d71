"""The hub: follows the log for all viewers, and lets each in at exactly its place.

A pipeline's log is read on under its lock. Who joins does so under the same lock, with the status
as of the last event read: before are the events that were missed, after are those to come.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import aclosing, suppress
from typing import Any

import structlog

from raglive.bus.messages import Hint, Live, Reconnected
from raglive.bus.postgres import PostgresBus
from raglive.status_server.subscriptions.channel import Channel, Opening
from raglive.status_server.subscriptions.log_tail import Deliver, Tail, Welcome
from raglive.status_server.subscriptions.messages import Message
from raglive.store.errors import STORE_ERRORS
from raglive.store.log.event_log import EventLog, Head
from raglive.store.log.pipeline_status import PipelineReads
from raglive_contract.cursor import Cursor

__all__ = ["Deliver", "Hub", "Join", "Welcome"]

log = structlog.get_logger()

Join = Callable[[Opening], None]


class Hub:
    """Every pipeline, kept up with its log while `run` runs.

    `deliver` is handed what is new. `welcome` is told of every log that begins, also in place of
    an earlier one of the same pipeline: whoever watched that one is to be shown the new one.
    """

    def __init__(
        self,
        event_log: EventLog,
        reads: PipelineReads,
        bus: PostgresBus,
        deliver: Deliver,
        welcome: Welcome,
        *,
        heartbeat_interval_seconds: float,
        poll_seconds: float = 0.25,
        tick_seconds: float = 0.05,
    ) -> None:
        self._tail = Tail(event_log, deliver, welcome, heartbeat_interval_seconds)
        self._reads = reads
        self._bus = bus
        self._deliver = deliver
        self._poll_seconds = poll_seconds
        self._tick_seconds = tick_seconds
        self._hinted: dict[int, int] = {}
        self._wake = asyncio.Event()
        self._current_at = float("-inf")
        self._turned_at = float("-inf")

    @property
    def lag_seconds(self) -> float:
        """Return how long ago the log was last known to be read to its end."""
        return asyncio.get_running_loop().time() - self._current_at

    @property
    def still_seconds(self) -> float:
        """Return how long ago the log was last looked at, in vain or not."""
        return asyncio.get_running_loop().time() - self._turned_at

    @property
    def tail(self) -> Tail:
        """Return what reads the log, for what it counts."""
        return self._tail

    def heads(self) -> list[Head]:
        """Return the pipelines known."""
        return [channel.head for channel in self._tail.channels()]

    def known(self) -> AbstractSet[str]:
        """Return the ids of the pipelines known."""
        return self._tail.ids()

    async def run(self) -> None:
        """Follow the log until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._listen(), name="hub-listen")
            tasks.create_task(self._follow(), name="hub-follow")
            tasks.create_task(self._tick(), name="hub-tick")

    async def look(self) -> None:
        """Learn of every pipeline that there is by now."""
        await self._tail.read_all()

    async def find(self, pipeline_id: str) -> Head | None:
        """Return a pipeline's head; looks again before it says that there is none."""
        channel = await self._tail.find(pipeline_id)
        return channel.head if channel else None

    async def snapshot(self, pipeline_id: str) -> dict[str, Any]:
        """Return the status of a pipeline; raise `not_found` when there is none."""
        async with self._tail.hold(pipeline_id) as channel:
            return await self._snapshot(channel)

    async def open(
        self, pipeline_id: str, cursor: Cursor | None, join: Join, *, among: Iterable[str] = ()
    ) -> Opening:
        """Let a viewer in: call `join` with what it missed, in the step that makes it live.

        Without a `cursor`, or with one that cannot be resumed, it starts from a snapshot. A cursor
        may be ahead of what was read here: another server was faster. `among` are all the pipelines
        that the viewer asks for. Raises `not_found` and `unavailable`.
        """
        channel = await self._tail.find(pipeline_id)
        start, reached_back = None, False
        if channel is not None:
            known = [self._tail.known(one) for one in {pipeline_id, *among}]
            start = channel.start(cursor, [one.head.epoch for one in known if one])
            if isinstance(start, int):
                await self._tail.read(channel.head.pipeline_key, start)
                reached_back = start < channel.ring.floor
                await self._tail.reach_back(channel, start)
        async with self._tail.hold(pipeline_id) as held:
            snapshot = await self._snapshot(held)
            opening = held.open(
                start if held is channel else None, snapshot, reached_back=reached_back
            )
            join(opening)
            return opening

    def after(self, pipeline_id: str, seq: int) -> list[Message] | None:
        """Return what has been delivered after `seq`; None when it is no longer kept."""
        channel = self._tail.known(pipeline_id)
        return None if channel is None else channel.ring.after(seq)

    async def _snapshot(self, held: Channel) -> dict[str, Any]:
        """Return the status as of the last event read, reading on to what the status is of."""
        now = asyncio.get_running_loop().time()
        snapshot = held.snapshot(now)
        if snapshot is None:
            snapshot = await self._reads.snapshot(held.head.pipeline_key)
            await self._tail.read_on(held, held.seq_of(snapshot))
            held.keep_snapshot(snapshot, now)
        return snapshot

    async def _listen(self) -> None:
        async with aclosing(self._bus.listen()) as messages:
            async for message in messages:
                match message:
                    case Hint(pipeline_key=key, seq=seq):
                        self._hinted[key] = max(seq, self._hinted.get(key, 0))
                        self._wake.set()
                    case Live(events=events):
                        self._conflate(events)
                    case Reconnected():
                        self._tail.doubtful.set()
                        self._wake.set()

    def _conflate(self, events: Sequence[dict[str, Any]]) -> None:
        for event in events:
            channel = self._tail.known(str(event.get("pipeline_id")))
            if channel is None:
                continue
            try:
                channel.conflation.put(Message.conflated(event))
            except ValueError as error:
                log.warning("bus_event_ignored", reason=str(error))

    async def _follow(self) -> None:
        """Read what hints name, and look at every head every `poll_seconds` or when in doubt."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            self._wake.clear()
            self._turned_at = loop.time()
            hinted, self._hinted = self._hinted, {}
            try:
                for key, seq in hinted.items():
                    await self._tail.read(key, seq)
                if loop.time() >= due or self._tail.doubtful.is_set():
                    self._tail.doubtful.clear()
                    due = loop.time() + self._poll_seconds
                    await self._tail.read_all()
                self._current_at = loop.time()
            except STORE_ERRORS as error:
                self._tail.doubtful.set()
                log.warning(
                    "log_unreadable", error=type(error).__name__, lag_seconds=self.lag_seconds
                )
                await asyncio.sleep(self._poll_seconds)
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout_at(due):
                    await self._wake.wait()

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._tick_seconds)
            for channel in self._tail.channels():
                if due := channel.conflation.drain(loop.time(), channel.ring.seq):
                    self._deliver(channel.head, due)
