"""The hub: follows every pipeline's log once, and starts each viewer at exactly its position.

A pipeline's log is read under its lock. A viewer joins under the same lock, with the status as of
the last event read. The events before that are those it missed, and all later ones are delivered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from itertools import chain

import structlog

from raglive.bus.bus import Bus
from raglive.log_reader.followed_log import LogBroken
from raglive.log_reader.hints import HeadHints
from raglive.log_reader.reader import LogReader
from raglive.status_server.subscriptions.channel import Channel, Deliver, Recovery
from raglive.status_server.subscriptions.messages import Message, encode_in_slices
from raglive.status_server.subscriptions.summary_feed import SummaryFeed
from raglive.store.log.event_log import EventLog, Head
from raglive.store.log.pipeline_status import PipelineReads
from raglive_contract.cursor import Cursor, CursorExpired, resume
from raglive_contract.wire import WirePipelineStatus

__all__ = ["Deliver", "Hub", "Join", "LogRemoved", "LogStarted"]

log = structlog.get_logger()

Join = Callable[[Recovery], None]
LogStarted = Callable[[Head], None]
LogRemoved = Callable[[Head], None]

BACKFILL_PAGE = 1000  # events


class Hub:
    """Holds a channel for every pipeline, and reads their logs while `run` runs.

    `deliver` receives new messages. `on_log_started` is told of every new log, also of one that
    replaces an earlier log of the same pipeline: its viewers need the status of the new one.
    `on_log_removed` is told of the log of a pipeline that was removed.
    `watched` lists the pipelines that have viewers.
    """

    def __init__(
        self,
        event_log: EventLog,
        reads: PipelineReads,
        bus: Bus,
        deliver: Deliver,
        *,
        on_log_started: LogStarted,
        on_log_removed: LogRemoved = lambda _: None,
        watched: Callable[[], AbstractSet[str]],
        heartbeat_interval_seconds: float,
        poll_seconds: float = 0.25,
        tick_seconds: float = 0.05,
    ) -> None:
        hints = HeadHints(bus, self._conflate)
        self._reader: LogReader[Channel] = LogReader(
            event_log, hints, self._begin, self._end, poll_seconds=poll_seconds
        )
        self._reads = reads
        self._deliver = deliver
        self._on_log_started = on_log_started
        self._on_log_removed = on_log_removed
        self._heartbeat_interval = heartbeat_interval_seconds
        self._tick_seconds = tick_seconds
        self._summaries = SummaryFeed(reads, self._reader, watched, deliver)
        self._ended_conflated = 0

    @property
    def lag_seconds(self) -> float:
        """The time since every log was last known to be read to its end; infinite before."""
        return self._reader.lag_seconds

    @property
    def idle_seconds(self) -> float:
        """The time since the reader last tried to read, with success or without."""
        return self._reader.idle_seconds

    @property
    def conflated(self) -> int:
        """The number of conflated messages that a later one replaced."""
        channels = self._reader.logs()
        return self._ended_conflated + sum(one.conflation.replaced for one in channels)

    @property
    def gaps(self) -> int:
        """The number of logs that did not continue from where they were read to."""
        return self._reader.gaps

    @property
    def digest_mismatches(self) -> int:
        """The number of logs that continued with another digest."""
        return self._reader.digest_mismatches

    def heads(self) -> list[Head]:
        """The pipelines known."""
        return [channel.head for channel in self._reader.logs()]

    def known(self) -> AbstractSet[str]:
        """The ids of the pipelines known."""
        return self._reader.ids()

    async def run(self) -> None:
        """Follow the logs until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._reader.run(), name="hub-reader")
            tasks.create_task(self._tick(), name="hub-tick")
            tasks.create_task(self._summaries.run(), name="hub-summaries")

    async def refresh(self) -> None:
        """Read the heads, so that every pipeline that exists by now is known."""
        await self._reader.read_all()

    async def find(self, pipeline_id: str) -> Head | None:
        """Look up a pipeline; the heads are read before it is reported as missing."""
        channel = await self._reader.find(pipeline_id)
        return channel.head if channel else None

    async def snapshot(self, pipeline_id: str) -> WirePipelineStatus:
        """Read the status of a pipeline; raise `not_found` if there is none."""
        async with self._reader.hold(pipeline_id) as channel:
            return await self._snapshot(channel)

    async def read_snapshots(self, pipeline_ids: Sequence[str]) -> None:
        """Read the statuses of many pipelines in one statement, for `snapshot` and `open`."""
        now = asyncio.get_running_loop().time()
        known = map(self._reader.known, pipeline_ids)
        old = {it.head.pipeline_id: it for it in known if it is not None and not it.snapshot(now)}
        statuses = await self._reads.statuses([it.head.pipeline_key for it in old.values()])
        for status in statuses:
            with suppress(LogBroken):  # a log that was replaced meanwhile is read by `snapshot`
                old[status["pipeline_id"]].keep_snapshot(status, now)

    async def open(
        self, pipeline_id: str, cursor: Cursor | None, join: Join, *, among: Sequence[str] = ()
    ) -> Recovery:
        """Call `join` with what a viewer missed, in the step in which events become live for it.

        Without a `cursor`, or with one that cannot be resumed, it starts from a snapshot. `among`
        are all the pipelines that the viewer asks for. Raises `not_found` and `unavailable`.
        """
        channel = await self._reader.find(pipeline_id)
        asked = among or (pipeline_id,)
        after, is_backfilled = None, False
        if channel is not None and cursor is not None:
            after = await self._resume(channel, cursor, asked)
            if after is not None:
                is_backfilled = after < channel.ring.floor
                await self._backfill(channel, after)
        async with self._reader.hold(pipeline_id) as held:
            snapshot = await self._snapshot(held)
            start = after if held is channel else None
            if start is not None and cursor is not None:
                start = self._resume_seq(held, cursor, asked)  # `now` has moved on since
            recovery = held.recover(start, snapshot, is_backfilled=is_backfilled)
            join(recovery)
            return recovery

    def after(self, pipeline_id: str, seq: int) -> list[Message] | None:
        """The messages delivered after `seq`, and the summary; None if the ring starts later."""
        channel = self._reader.known(pipeline_id)
        missed = None if channel is None else channel.ring.after(seq)
        if channel is None or missed is None or channel.summary is None:
            return missed
        return [*missed, channel.summary]

    async def _resume(self, channel: Channel, cursor: Cursor, asked: Iterable[str]) -> int | None:
        """Find the seq to resume after; None if the log cannot be resumed from the cursor.

        A cursor may be ahead of what was read here, since another server may have read further.
        """
        position = cursor.positions.get(channel.head.epoch)
        if position is not None and position.seq > channel.seq:
            await self._reader.read(channel.head.pipeline_key, position.seq)
        return self._resume_seq(channel, cursor, asked)

    def _resume_seq(self, channel: Channel, cursor: Cursor, asked: Iterable[str]) -> int | None:
        epochs: set[str] = set()  # which matter only if the cursor names other logs alone
        if cursor.positions and channel.head.epoch not in cursor.positions:
            known = [self._reader.known(pipeline_id) for pipeline_id in asked]
            epochs = {one.head.epoch for one in known if one}
        outcome = resume(cursor, channel.range, epochs)
        return None if isinstance(outcome, CursorExpired) else outcome.seq

    async def _backfill(self, channel: Channel, seq: int) -> None:
        """Extend the ring back to `seq`, if it has room; read once for all who need it."""
        ring = channel.ring
        async with channel.backfilling:
            while ring.floor > seq >= ring.seq - ring.max_messages:
                first = max(seq, ring.floor - BACKFILL_PAGE)
                page = await self._reader.page(channel, first, ring.floor - first)
                slices = [messages async for _, messages in encode_in_slices(page)]
                if not ring.prepend(list(chain.from_iterable(slices))):
                    return

    async def _snapshot(self, held: Channel) -> WirePipelineStatus:
        """Read the status, and read the log up to exactly the status's cursor."""
        now = asyncio.get_running_loop().time()
        snapshot = held.snapshot(now)
        if snapshot is None:
            snapshot = await self._reads.snapshot(held.head.pipeline_key)
            await self._reader.read_on(held, held.seq_of(snapshot))
            held.keep_snapshot(snapshot, now)
        return snapshot

    def _begin(self, head: Head) -> Channel:
        channel = Channel(head, self._deliver, self._heartbeat_interval)
        self._on_log_started(head)
        return channel

    def _end(self, channel: Channel, why: LogBroken | None) -> None:
        self._ended_conflated += channel.conflation.replaced
        self._summaries.forget(channel)
        if why is None:
            self._on_log_removed(channel.head)

    def _conflate(self, events: Sequence[dict[str, object]]) -> None:
        for event in events:
            channel = self._reader.known(str(event.get("pipeline_id")))
            if channel is None:
                continue
            try:
                channel.conflation.put(Message.conflated(event))
            except ValueError as error:
                log.warning("bus_event_ignored", reason=str(error))

    async def _tick(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(self._tick_seconds)
            for channel in self._reader.logs():
                if due := channel.conflation.drain(loop.time(), channel.seq):
                    self._deliver(channel.head, due)
