"""All pipelines at one moment, and the events that led there."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Sequence
from functools import cached_property
from itertools import islice
from typing import Any
from zlib import crc32

import orjson

from raglive.store.log.event_log import Head
from raglive.store.log.pipeline_status import PipelineReads, Standing, no_such_pipeline
from raglive_contract.errors import ErrorCode, RagliveError
from raglive_contract.permissions import Grant

__all__ = ["MAX_EVENTS", "Picture", "cursor_expired"]

MAX_EVENTS = 500

Start = tuple[Head, int]


class Picture:
    """Where every pipeline stood at `taken_at` (seconds, of the event loop's clock)."""

    def __init__(
        self, standings: Sequence[Standing], taken_at: float, reads: PipelineReads
    ) -> None:
        self.standings = standings
        self.taken_at = taken_at
        self._reads = reads
        self._events: dict[tuple[tuple[int, int], ...], asyncio.Task[list[dict[str, Any]]]] = {}

    @cached_property
    def seqs(self) -> dict[int, int]:
        """The head of each pipeline, by key."""
        return {one.head.pipeline_key: one.head.seq for one in self.standings}

    def visible(self, grant: Grant, pipeline_id: str | None) -> list[Standing]:
        """Return the pipelines that may be seen; raise `not_found` if the one asked for is not."""
        wanted = [
            one
            for one in self.standings
            if pipeline_id in {None, one.head.pipeline_id} and grant.may_view(one.head.pipeline_id)
        ]
        if pipeline_id is not None and not wanted:
            raise no_such_pipeline()
        return wanted

    async def events(self, starts: Sequence[Start]) -> list[dict[str, Any]]:
        """Return at most 500 events after the starts: by time, each pipeline's in its order.

        Those who ask for the same share one query. Raises `cursor_expired` or
        `DatabaseUnavailable`.
        """
        asked = tuple((head.pipeline_key, seq) for head, seq in starts)
        if asked not in self._events:
            self._events[asked] = asyncio.create_task(self._read(starts), name="board-events")
            self._events[asked].add_done_callback(_retrieve)
        return await asyncio.shield(self._events[asked])

    async def _read(self, starts: Sequence[Start]) -> list[dict[str, Any]]:
        logs = await self._reads.events_after(starts, MAX_EVENTS)
        for head, seq in starts:
            log = logs.get(head.pipeline_key)
            if not log or log[0].seq != seq + 1:  # never a silent gap
                raise cursor_expired()
        in_order = ([logged.event for logged in log] for log in logs.values())
        merged = heapq.merge(*in_order, key=lambda event: str(event["timestamp"]))
        return list(islice(merged, MAX_EVENTS))

    def revision(self, standings: Sequence[Standing]) -> int | None:
        """Return a number that changes as work moves on without an event; None without work."""
        moving = [
            (one.snapshot["files_processing"], one.snapshot.get("last_heartbeat"))
            for one in standings
            if one.snapshot["files_processing"]
        ]
        return crc32(orjson.dumps(moving)) if moving else None


def cursor_expired() -> RagliveError:
    """Return what is said of a cursor that cannot be resumed from."""
    return RagliveError(
        "The cursor is of a log that has ended or begun anew. Ask again without a cursor, and go "
        "on from `next_cursor`.",
        code=ErrorCode.CURSOR_EXPIRED,
    )


def _retrieve(reading: asyncio.Task[Any]) -> None:
    if not reading.cancelled():
        reading.exception()
