"""The status of all pipelines at one moment, and the events that led to it."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Iterable, Sequence
from functools import cached_property
from itertools import islice, takewhile
from typing import Any

from raglive.store.log.event_log import Head
from raglive.store.log.pipeline_status import PipelineReads, PipelineRow, no_such_pipeline
from raglive_contract.cursor import CursorExpired, Expiry
from raglive_contract.permissions import Grant
from raglive_contract.wire import WireDurableEvent

__all__ = ["SystemStatus"]

MAX_EVENTS = 500
LEAST_EVENTS = 20  # of each pipeline
MAX_ROWS = 10_000

Start = tuple[Head, int]


class SystemStatus:
    """Every pipeline's row, read in one statement at `read_at` (the event loop's clock)."""

    def __init__(self, rows: Sequence[PipelineRow], read_at: float, reads: PipelineReads) -> None:
        self.rows = rows
        self.read_at = read_at
        self._reads = reads
        self._events: dict[
            tuple[tuple[int, int, int], ...], asyncio.Task[list[WireDurableEvent]]
        ] = {}

    @cached_property
    def seqs(self) -> dict[int, int]:
        """The seq of each pipeline's head, by its key."""
        return {row.head.pipeline_key: row.head.seq for row in self.rows}

    def visible(self, grant: Grant, pipeline_id: str | None) -> list[PipelineRow]:
        """Select the pipelines that a grant may view; raise `not_found` if it is not the one."""
        wanted = [
            row
            for row in self.rows
            if pipeline_id in {None, row.head.pipeline_id} and grant.may_view(row.head.pipeline_id)
        ]
        if pipeline_id is not None and not wanted:
            raise no_such_pipeline()
        return wanted

    async def events(self, starts: Sequence[Start]) -> list[WireDurableEvent]:
        """Read at most 500 events after the starts: by time, each pipeline's in order.

        Callers that ask for the same events share one query. Raises `cursor_expired` or
        `DatabaseUnavailable`.
        """
        asked = tuple((head.pipeline_key, seq, head.seq) for head, seq in starts)
        if asked not in self._events:
            self._events[asked] = asyncio.create_task(self._read(starts), name="status-events")
            self._events[asked].add_done_callback(_retrieve)
        return await asyncio.shield(self._events[asked])

    async def _read(self, starts: Sequence[Start]) -> list[WireDurableEvent]:
        limit = max(LEAST_EVENTS, min(MAX_EVENTS, MAX_ROWS // len(starts)))
        logs = await self._reads.events_after(starts, limit)
        for head, seq in starts:
            log = logs.get(head.pipeline_key)
            if not log or log[0].seq != seq + 1:
                raise CursorExpired(Expiry.TOO_OLD).error()
        heads = {head.pipeline_key: head.seq for head, _ in starts}
        in_order = [[logged.event for logged in log] for log in logs.values()]
        cut = [key for key, log in logs.items() if log[-1].seq < heads[key]]
        merged: Iterable[WireDurableEvent] = heapq.merge(*in_order, key=_time)
        if cut:  # what follows in these logs may be older than the rest of the others
            until = min(max(logged.event["timestamp"] for logged in logs[key]) for key in cut)
            merged = takewhile(lambda event: event["timestamp"] <= until, merged)
        return list(islice(merged, MAX_EVENTS))


def _time(event: WireDurableEvent) -> str:
    return event["timestamp"]


def _retrieve(reading: asyncio.Task[Any]) -> None:
    if not reading.cancelled():
        reading.exception()
