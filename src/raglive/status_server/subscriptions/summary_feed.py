"""Sends `pipeline:summary` to the viewers of a pipeline when it has changed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from dataclasses import replace

import structlog

from raglive.log_reader.reader import LogReader
from raglive.log_reader.summaries import LEAST_SECONDS, Summaries
from raglive.status_server.subscriptions.channel import Channel, Deliver, SentSummary
from raglive.status_server.subscriptions.messages import Message
from raglive.store.errors import DATABASE_ERRORS
from raglive.store.log.event_log import Head
from raglive.store.log.pipeline_status import PipelineReads
from raglive_contract.errors import RagliveError

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
        self._reading: set[int] = set()

    async def run(self) -> None:
        """Send summaries until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            while True:
                await asyncio.sleep(TICK_SECONDS)
                watched = self._watched()
                for channel in self._reader.logs():
                    if channel.head.pipeline_id not in watched:
                        channel.sent_summary = None
                    elif channel.head.pipeline_key not in self._reading:
                        self._step(channel, tasks)

    def forget(self, channel: Channel) -> None:
        """Drop the summary of a log that is no longer followed."""
        self._summaries.forget(channel.head.pipeline_key)

    def _step(self, channel: Channel, tasks: asyncio.TaskGroup) -> None:
        head = channel.head
        if head.seq < channel.seq:  # it was read on by a hint, before the heads were polled
            head = replace(head, seq=channel.seq)
        if self._summaries.is_due(head):
            self._reading.add(head.pipeline_key)
            tasks.create_task(self._read(head), name="summary-reading")
        else:
            self._send(channel)

    async def _read(self, head: Head) -> None:
        try:
            await self._summaries.read(head)
        except (RagliveError, *DATABASE_ERRORS) as error:  # type: ignore[misc]  # a flat tuple
            log.warning("summary_unreadable", pipeline=head.pipeline_id, error=type(error).__name__)
        finally:
            self._reading.discard(head.pipeline_key)

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
