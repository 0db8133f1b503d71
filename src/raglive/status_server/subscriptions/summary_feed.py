"""Sends `pipeline:summary` to the viewers of a pipeline when it has changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace

import structlog

from raglive.log_reader.reader import LogReader
from raglive.log_reader.summaries import LEAST_SECONDS, Summaries
from raglive.status_server.subscriptions.channel import Channel, Deliver, SentSummary
from raglive.status_server.subscriptions.messages import Message
from raglive.store.errors import STORE_ERRORS
from raglive.store.log.event_log import Head
from raglive.store.log.pipeline_status import PipelineReads

__all__ = ["SummaryFeed"]

log = structlog.get_logger()

TICK_SECONDS = 0.05


class SummaryFeed:
    """Reads the summary of each watched pipeline once for all its viewers.

    A summary waits until the viewers were sent the event that it is exact at.
    """

    def __init__(
        self,
        reads: PipelineReads,
        reader: LogReader[Channel],
        watched: Callable[[], AbstractSet[str]],
        deliver: Deliver,
    ) -> None:
        self._summaries = Summaries(reads)
        self._reader = reader
        self._watched = watched
        self._deliver = deliver

    async def run(self) -> None:
        """Send summaries until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                await asyncio.sleep(TICK_SECONDS)
                watched = self._watched()
                due: list[Head] = []
                for channel in self._reader.logs():
                    if channel.head.pipeline_id not in watched:
                        channel.sent_summary = None
                    else:
                        due += self._step(channel)
                if due:
                    tasks.create_task(self._read(due), name="summaries-reading")

    def forget(self, channel: Channel) -> None:
        """Drop the summary of a log that is no longer followed."""
        self._summaries.forget(channel.head.pipeline_key)

    def _step(self, channel: Channel) -> list[Head]:
        """Send a channel's summary, or return the head for which it has to be read."""
        head = channel.head
        if head.seq < channel.seq:  # it was read on by a hint, before the heads were polled
            head = replace(head, seq=channel.seq)
        if self._summaries.is_due(head):
            return [head]
        self._send(channel)
        return []

    async def _read(self, due: Sequence[Head]) -> None:
        try:
            await self._summaries.read(due)
        except STORE_ERRORS as error:
            log.warning("summaries_unreadable", error=type(error).__name__)

    def _send(self, channel: Channel) -> None:
        summary = self._summaries.latest(channel.head)
        if summary is None or summary.seq > channel.seq:
            return
        now = asyncio.get_running_loop().time()
        last = channel.sent_summary
        if last and (last.content == summary.content or now < last.sent_at + LEAST_SECONDS):
            return
        message = Message.summary(summary.event, channel.seq)
        channel.sent_summary = SentSummary(message, summary.content, now)
        self._deliver(channel.head, [message])
