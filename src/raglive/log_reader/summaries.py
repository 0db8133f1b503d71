"""The latest `pipeline:summary` of each pipeline, read again when it may have changed."""

from __future__ import annotations

import asyncio
from collections.abc import Container, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from raglive.store.errors import STORE_ERRORS
from raglive.store.log.event_log import Head
from raglive.store.log.pipeline_status import PipelineReads
from raglive.store.log.pipeline_summary import Summary

__all__ = ["Summaries"]

LEAST_SECONDS = 1.0
WORKING_SECONDS = 5.0  # progress, leases and retries change without an event
RESTING_SECONDS = 60.0  # the length of an interval of the throughput
REST_FACTOR = 9  # a reading is followed by a pause nine times as long
READINGS_AT_ONCE = 4
BATCH = 32
PAUSE_SECONDS = 0.02  # between the batches of a refresh: requests come first


@dataclass(slots=True)
class _Entry:
    summary: Summary | None = None
    read_at: float = float("-inf")
    pause_seconds: float = LEAST_SECONDS
    reading: asyncio.Task[None] | None = None

    @property
    def is_idle(self) -> bool:
        return self.reading is None or self.reading.done()


class Summaries:
    """A cache in front of `PipelineReads.summaries`, which reads in batches.

    Concurrent callers share a reading. A pipeline is read at most once a second and for at most a
    tenth of the time, and only when its log or its counts have moved, or its summary has become
    old. A pipeline that takes long is read alone, so that it does not delay others.
    """

    def __init__(self, reads: PipelineReads) -> None:
        self._reads = reads
        self._entries: dict[int, _Entry] = {}
        self._slots = asyncio.Semaphore(READINGS_AT_ONCE)
        self._refreshing: asyncio.Task[None] | None = None

    def latest(self, head: Head) -> Summary | None:
        """The summary that was read last, of the log of this head."""
        entry = self._entries.get(head.pipeline_key)
        if entry is None or entry.summary is None or entry.summary.epoch != head.epoch:
            return None
        return entry.summary

    def is_due(self, head: Head) -> bool:
        """Decide whether a reading has to begin, given the latest head that is known."""
        entry = self._entries.get(head.pipeline_key)
        if entry is None:
            return True
        if not entry.is_idle:
            return False
        age = asyncio.get_running_loop().time() - entry.read_at
        if age < entry.pause_seconds:
            return False
        summary = self.latest(head)
        if summary is None or head.seq > summary.seq:
            return True
        if head.seq == summary.seq and head.counts != summary.counts:
            return True
        return age >= (RESTING_SECONDS if summary.is_at_rest else WORKING_SECONDS)

    async def current(self, heads: Sequence[Head]) -> dict[int, Summary]:
        """The latest summaries by pipeline key, read now if due, without those that are gone.

        Raises `DatabaseUnavailable`.
        """
        await self.read([it for it in heads if self.is_due(it) or self.latest(it) is None])
        found = ((head.pipeline_key, self.latest(head)) for head in heads)
        return {key: summary for key, summary in found if summary is not None}

    async def read(self, heads: Sequence[Head]) -> None:
        """Read summaries, or join the readings that are under way; raise `DatabaseUnavailable`."""
        entries = {
            it.pipeline_key: self._entries.setdefault(it.pipeline_key, _Entry()) for it in heads
        }
        for keys in _batches({key: it for key, it in entries.items() if it.is_idle}):
            reading = asyncio.create_task(self._read(keys), name="summaries-reading")
            reading.add_done_callback(_retrieve)
            for key in keys:
                entries[key].reading = reading
        readings = {it.reading for it in entries.values() if it.reading is not None}
        await asyncio.gather(*map(asyncio.shield, readings))

    def refresh(self, heads: Sequence[Head]) -> None:
        """Start to read those that are due, one batch after the other, unless that goes on."""
        if self._refreshing is None or self._refreshing.done():
            due = [head for head in heads if self.is_due(head)]
            if due:
                self._refreshing = asyncio.create_task(self._refresh(due), name="summaries-refresh")

    async def _refresh(self, due: Sequence[Head]) -> None:
        with suppress(*STORE_ERRORS):  # the next poll tries again, or says why
            for start in range(0, len(due), BATCH):
                await self.read(due[start : start + BATCH])
                await asyncio.sleep(PAUSE_SECONDS)

    def forget(self, pipeline_key: int) -> None:
        """Drop the summary of a pipeline that is gone."""
        self._entries.pop(pipeline_key, None)

    def retain(self, pipeline_keys: Container[int]) -> None:
        """Drop the summaries of all other pipelines: they are gone."""
        for key in [key for key in self._entries if key not in pipeline_keys]:
            self.forget(key)

    async def _read(self, keys: Sequence[int]) -> None:
        loop = asyncio.get_running_loop()
        entries = {key: self._entries[key] for key in keys}
        async with self._slots:
            began = loop.time()
            for entry in entries.values():
                entry.read_at = began
            try:
                found = await self._reads.summaries(keys)
            finally:
                took = loop.time() - began
                for entry in entries.values():
                    entry.pause_seconds = max(LEAST_SECONDS, took * (1 + REST_FACTOR))
        for key, entry in entries.items():
            entry.summary = found.get(key)


def _batches(entries: dict[int, _Entry]) -> Iterator[list[int]]:
    quick = [key for key, entry in entries.items() if entry.pause_seconds <= LEAST_SECONDS]
    yield from ([key] for key in entries.keys() - set(quick))
    yield from (quick[start : start + BATCH] for start in range(0, len(quick), BATCH))


def _retrieve(reading: asyncio.Task[Any]) -> None:
    """Mark an error as seen, in case every caller was cancelled."""
    if not reading.cancelled():
        reading.exception()
