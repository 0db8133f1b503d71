"""The latest `pipeline:summary` of each pipeline, read again when it may have changed."""

from __future__ import annotations

import asyncio
from collections.abc import Container, Sequence
from dataclasses import dataclass, field

from raglive.log_reader.shared_read import SharedRead
from raglive.store.log.event_log import Head
from raglive.store.log.pipeline_status import PipelineReads
from raglive.store.log.pipeline_summary import Summary

__all__ = ["Summaries"]

LEAST_SECONDS = 1.0
WORKING_SECONDS = 5.0  # progress, leases and retries change without an event
RESTING_SECONDS = 60.0  # the length of an interval of the throughput
REST_FACTOR = 9  # a reading is followed by a pause nine times as long
READINGS_AT_ONCE = 4


@dataclass(slots=True)
class _Entry:
    summary: Summary | None = None
    read_at: float = float("-inf")
    pause_seconds: float = LEAST_SECONDS
    reading: SharedRead[Summary] = field(default_factory=SharedRead)


class Summaries:
    """A cache in front of `PipelineReads.summary`; concurrent callers share one reading.

    A pipeline is read at most once a second and for at most a tenth of the time, and only when its
    log or its counts have moved, or its summary has become old.
    """

    def __init__(self, reads: PipelineReads) -> None:
        self._reads = reads
        self._entries: dict[int, _Entry] = {}
        self._slots = asyncio.Semaphore(READINGS_AT_ONCE)

    def latest(self, head: Head) -> Summary | None:
        """The summary that was read last, of the log of this head."""
        entry = self._entries.get(head.pipeline_key)
        if entry is None or entry.summary is None or entry.summary.epoch != head.epoch:
            return None
        return entry.summary

    def is_due(self, head: Head) -> bool:
        """Decide whether the summary has to be read again, given the latest head that is known."""
        entry = self._entries.get(head.pipeline_key)
        if entry is None:
            return True
        age = asyncio.get_running_loop().time() - entry.read_at
        if age < entry.pause_seconds:
            return False
        summary = self.latest(head)
        if summary is None or head.seq > summary.seq:
            return True
        if head.seq == summary.seq and head.counts != summary.counts:
            return True
        return age >= (RESTING_SECONDS if summary.is_at_rest else WORKING_SECONDS)

    async def current(self, heads: Sequence[Head]) -> list[Summary]:
        """The latest summaries, read now if due; raises what `PipelineReads.summary` does."""
        latest = [None if self.is_due(head) else self.latest(head) for head in heads]
        due = [head for head, one in zip(heads, latest, strict=True) if one is None]
        read = iter(await asyncio.gather(*map(self.read, due)) if due else ())
        return [one or next(read) for one in latest]

    async def read(self, head: Head) -> Summary:
        """Read a summary, or join the reading that is under way."""
        entry = self._entries.setdefault(head.pipeline_key, _Entry())
        return await entry.reading.join(lambda: self._read(head, entry))

    def forget(self, pipeline_key: int) -> None:
        """Drop the summary of a pipeline that is gone."""
        self._entries.pop(pipeline_key, None)

    def retain(self, pipeline_keys: Container[int]) -> None:
        """Drop the summaries of all other pipelines: they are gone."""
        for key in [key for key in self._entries if key not in pipeline_keys]:
            self.forget(key)

    async def _read(self, head: Head, entry: _Entry) -> Summary:
        loop = asyncio.get_running_loop()
        async with self._slots:
            entry.read_at = loop.time()
            try:
                entry.summary = await self._reads.summary(head.pipeline_key)
            finally:
                took = loop.time() - entry.read_at
                entry.pause_seconds = max(LEAST_SECONDS, took * (1 + REST_FACTOR))
        return entry.summary
