"""Every pipeline's log, read once and on from where it was read to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager

import structlog

from raglive.status_server.subscriptions.channel import Channel
from raglive.status_server.subscriptions.messages import Message
from raglive.status_server.subscriptions.ring import DigestMismatch, LogBroken
from raglive.store.log.event_log import EventLog, Head, LoggedEvent
from raglive.store.log.pipeline_status import read_within
from raglive_contract.errors import ErrorCode, RagliveError

__all__ = ["Deliver", "Tail", "Welcome"]

log = structlog.get_logger()

Deliver = Callable[[Head, Sequence[Message]], None]
Welcome = Callable[[Head], None]

PAGE = 1000  # events read at once
READ_TIMEOUT_SECONDS = 10.0


class Tail:
    """The channels, by key and by id, and the reading that brings them on."""

    def __init__(
        self,
        event_log: EventLog,
        deliver: Deliver,
        welcome: Welcome,
        heartbeat_interval_seconds: float,
    ) -> None:
        self._log = event_log
        self._deliver = deliver
        self._welcome = welcome
        self._heartbeat_interval = heartbeat_interval_seconds
        self._channels: dict[int, Channel] = {}
        self._by_id: dict[str, Channel] = {}
        self._looking = asyncio.Lock()
        self._looks = 0
        self._conflated = 0  # of channels that are gone
        self.gaps = 0
        self.digest_mismatches = 0
        self.doubtful = asyncio.Event()

    def channels(self) -> list[Channel]:
        """Return the channels known."""
        return list(self._channels.values())

    def ids(self) -> AbstractSet[str]:
        """Return the ids of the pipelines known."""
        return self._by_id.keys()

    @property
    def conflated(self) -> int:
        """Return how many conflated messages were replaced by later ones."""
        return self._conflated + sum(one.conflation.replaced for one in self._channels.values())

    def known(self, pipeline_id: str) -> Channel | None:
        """Return a pipeline's channel, if it was met."""
        return self._by_id.get(pipeline_id)

    async def find(self, pipeline_id: str) -> Channel | None:
        """Return a pipeline's channel; looks again before it says that there is none."""
        if pipeline_id not in self._by_id:
            await self.read_all()
        return self._by_id.get(pipeline_id)

    @asynccontextmanager
    async def hold(self, pipeline_id: str) -> AsyncIterator[Channel]:
        """Keep a pipeline's channel where it is, for as long as its log may be relied on.

        Raises `not_found` for a pipeline that does not exist.
        """
        channel = await self.find(pipeline_id)
        if channel is None:
            raise RagliveError(f"There is no pipeline {pipeline_id}.", code=ErrorCode.NOT_FOUND)
        async with channel.lock:
            try:
                if self._by_id.get(pipeline_id) is not channel:
                    raise LogBroken("it was replaced")
                yield channel
            except LogBroken as broken:
                self._give_up(channel, broken)
                raise RagliveError(
                    "The pipeline's log was replaced just now. Try again.",
                    code=ErrorCode.UNAVAILABLE,
                    retryable=True,
                    retry_after_ms=1000,
                ) from broken

    async def read_all(self) -> None:
        """Look at every head, and read what is behind; whoever waits to do so shares one look."""
        before = self._looks
        async with self._looking:
            if self._looks > before:
                return
            self._looks += 1
            reached = {key: channel.ring.seq for key, channel in self._channels.items()}
            heads = await read_within(READ_TIMEOUT_SECONDS, self._log.heads())
            for gone in reached.keys() - {head.pipeline_key for head in heads}:
                if gone in self._channels:
                    self._forget(self._channels[gone])
            for head in heads:
                self._meet(head, reached.get(head.pipeline_key, 0))
        for head in heads:
            await self.read(head.pipeline_key, head.seq)

    async def read(self, pipeline_key: int, seq: int) -> None:
        """Read on a pipeline that is behind `seq`."""
        channel = self._channels.get(pipeline_key)
        if channel is None:
            self.doubtful.set()
            return
        if channel.ring.seq >= seq:
            return
        async with channel.lock:
            if self._channels.get(pipeline_key) is not channel:
                return
            try:
                await self.read_on(channel)
            except LogBroken as broken:
                self._give_up(channel, broken)

    async def read_on(self, channel: Channel, up_to: int | None = None) -> None:
        """Read a held channel's log, to its end or exactly to a seq that it has reached.

        Raises `LogBroken`.
        """
        ring = channel.ring
        while limit := PAGE if up_to is None else min(PAGE, up_to - ring.seq):
            page = await self._page(channel, ring.seq, limit)
            messages = [Message.durable(logged) for logged in page]
            ring.extend(messages)
            channel.conflation.observe(messages)
            if messages:
                self._deliver(channel.head, messages)
            if len(page) < limit:
                break
        if up_to is not None and ring.seq != up_to:
            raise LogBroken(f"it ends at {ring.seq} and not at {up_to}")

    async def reach_back(self, channel: Channel, seq: int) -> None:
        """Fill the ring back to `seq`, if it has room; read once for all who want it."""
        ring = channel.ring
        async with channel.reaching_back:
            while ring.floor > seq >= ring.seq - ring.max_messages:
                first = max(seq, ring.floor - PAGE)
                page = await self._page(channel, first, ring.floor - first)
                if not ring.prepend([Message.durable(logged) for logged in page]):
                    return

    async def _page(self, channel: Channel, seq: int, limit: int) -> list[LoggedEvent]:
        return await read_within(
            READ_TIMEOUT_SECONDS, self._log.read_after(channel.head, seq, limit)
        )

    def _meet(self, head: Head, reached: int) -> None:
        """Make a channel for a log that begins, or begins anew, or was cut back."""
        channel = self._channels.get(head.pipeline_key)
        if channel is not None:
            if channel.head.epoch == head.epoch and head.seq >= reached:
                return
            self._give_up(channel, LogBroken(f"it stands at {head.position}"))
        channel = Channel(head, self._heartbeat_interval)
        self._channels[head.pipeline_key] = channel
        self._by_id[head.pipeline_id] = channel
        self._welcome(head)

    def _give_up(self, channel: Channel, broken: LogBroken) -> None:
        """Let go of a log that does not go on; the next look at the heads begins it anew."""
        if isinstance(broken, DigestMismatch):
            self.digest_mismatches += 1
        else:
            self.gaps += 1
        log.error("log_broken", pipeline=channel.head.pipeline_id, reason=str(broken))
        self._forget(channel)
        self.doubtful.set()

    def _forget(self, channel: Channel) -> None:
        head = channel.head
        if self._channels.get(head.pipeline_key) is channel:
            del self._channels[head.pipeline_key]
            self._conflated += channel.conflation.replaced
        if self._by_id.get(head.pipeline_id) is channel:
            del self._by_id[head.pipeline_id]
