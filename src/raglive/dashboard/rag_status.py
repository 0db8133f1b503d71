"""`/api/rag-status`: the whole status, the summaries, and the events since a cursor."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from operator import itemgetter
from typing import Literal
from zlib import crc32

from raglive.dashboard.status_cache import StatusCache
from raglive.dashboard.system_status import SystemStatus
from raglive.store.log.pipeline_status import PipelineRow
from raglive.store.log.pipeline_summary import Summary
from raglive_contract.cursor import (
    Cursor,
    CursorExpired,
    Position,
    Start,
    parse_cursor,
    resume,
)
from raglive_contract.errors import RagliveError
from raglive_contract.model import rfc3339
from raglive_contract.redaction import Redaction
from raglive_contract.wire import (
    WireDurableEvent,
    WirePipelineStatus,
    WireRagStatus,
    WireRagStatusPipeline,
)

__all__ = ["StatusPoll", "entity_tag", "full_status", "poll_status", "redacted"]

MAX_WAIT_SECONDS = 30.0
WORKING_POLL_MS = 1000
IDLE_POLL_MS = 2000
SHOWN_COMPLETED = 10
SHOWN_FAILED = 5

Files = Literal["files_processing", "files_completed", "files_failed"]
Choose = Callable[[SystemStatus], list[PipelineRow]]


@dataclass(frozen=True, slots=True)
class StatusPoll:
    """The result of a poll: the events after its cursor, which `next_cursor` covers exactly.

    `summaries` are those of `rows`, in the same order. It is complete as of `read_at`, on the event
    loop's clock, if it is `up_to_date`.
    """

    rows: list[PipelineRow]
    summaries: list[Summary]
    events: list[WireDurableEvent]
    next_cursor: str
    up_to_date: bool
    revision: int | None
    read_at: float
    is_redacted: bool = False


async def poll_status(
    cache: StatusCache, choose: Choose, cursor: str | None, wait_seconds: float = 0.0
) -> StatusPoll:
    """Read what came after `cursor`, waiting up to `wait_seconds`, at most 30, for an event.

    The wait also ends when files were queued without an event. Without a cursor nothing was missed.
    Raises `cursor_invalid`, `cursor_expired`, `not_found` or `DatabaseUnavailable`.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + min(wait_seconds, MAX_WAIT_SECONDS)
    start = Cursor(otherwise=Start.NOW) if cursor is None else parse_cursor(cursor)
    asked = {epoch: position.seq for epoch, position in start.positions.items()}
    counts: tuple[tuple[int, ...], ...] | None = None
    while True:
        status, rows, seen = await _resume(cache, choose, start)
        behind = [(row.head, seen[row.head.epoch]) for row in rows if _is_behind(row, seen)]
        left = deadline - loop.time()
        before, counts = counts, tuple(row.head.counts for row in rows)
        has_moved = bool(behind) or before not in {None, counts}
        if cursor is None or has_moved or left <= 0 or cache.closing:
            break
        start = _cursor(seen)
        await cache.wait(status, left)
    events = await status.events(behind) if behind else []
    reached = seen | {_epoch(event): event["seq"] for event in events}
    return StatusPoll(
        rows,
        await cache.summaries([row.head for row in rows]),
        events,
        cursor if cursor is not None and asked == reached else str(_cursor(reached)),
        up_to_date=not any(_is_behind(row, reached) for row in rows),
        revision=status.revision(rows),
        read_at=status.read_at,
    )


async def _resume(
    cache: StatusCache, choose: Choose, start: Cursor
) -> tuple[SystemStatus, list[PipelineRow], dict[str, int]]:
    """Select the pipelines to show, and resume each; seqs are by epoch.

    A pipeline or position that seems not to exist may be newer than the cache: before it is
    refused, the status is read once more.
    """
    status = await cache.current()
    try:
        rows = choose(status)
        return status, rows, _seen(start, rows)
    except RagliveError:
        status = await cache.renew()
        rows = choose(status)
        return status, rows, _seen(start, rows)


def _seen(start: Cursor, rows: Sequence[PipelineRow]) -> dict[str, int]:
    epochs = [row.head.epoch for row in rows]
    seen = {}
    for row in rows:
        outcome = resume(start, row.head.range, epochs)
        if isinstance(outcome, CursorExpired):
            raise outcome.error()
        seen[row.head.epoch] = outcome.seq
    return seen


def _is_behind(row: PipelineRow, seen: dict[str, int]) -> bool:
    return seen[row.head.epoch] < row.head.seq


def _cursor(seen: dict[str, int]) -> Cursor:
    return Cursor.of(Position(epoch, seq) for epoch, seq in seen.items())


def _epoch(event: WireDurableEvent) -> str:
    return event["cursor"].partition(".")[0]


def redacted(poll: StatusPoll, redaction: Redaction) -> StatusPoll:
    """Mask a poll's statuses, summaries and events for a redacted viewer."""
    return replace(
        poll,
        rows=[replace(row, snapshot=redaction.status(row.snapshot)) for row in poll.rows],
        summaries=[replace(one, event=redaction.event(one.event)) for one in poll.summaries],
        events=[redaction.event(event) for event in poll.events],
        is_redacted=True,
    )


def entity_tag(poll: StatusPoll, *, is_fallback: bool, stale_seconds: float) -> str:
    """Compute the ETag: the cursor, and a checksum of what changes without an event.

    That is progress and heartbeats while files are in progress, summaries of pipelines that are
    not at rest, missing heartbeats, and the availability of the status server. Redacted answers
    have tags of their own.
    """
    silent = [row.head.pipeline_key for row in poll.rows if _is_silent(row, stale_seconds)]
    summaries = [
        (one.seq, one.content)
        for row, one in zip(poll.rows, poll.summaries, strict=True)
        if one.seq != row.head.seq or not one.is_at_rest
    ]
    volatile = (is_fallback, silent, poll.revision, poll.is_redacted, summaries)
    if volatile == (False, [], None, False, []):
        return f'"{poll.next_cursor}"'
    return f'"{poll.next_cursor};{crc32(repr(volatile).encode()):08x}"'


def full_status(
    poll: StatusPoll,
    *,
    websocket_url: str,
    namespaces: list[str],
    is_available: bool,
    stale_seconds: float,
) -> WireRagStatus:
    """Build `RagStatus` in its wire form."""
    snapshots = [row.snapshot for row in poll.rows]
    processing = _gather(snapshots, "files_processing")
    is_online = any(snapshot["status"] == "online" for snapshot in snapshots)
    return {
        "status": "online" if is_online else "offline",
        "pipelines": [
            _pipeline(row, summary, stale_seconds)
            for row, summary in zip(poll.rows, poll.summaries, strict=True)
        ],
        "serverTime": rfc3339(datetime.now(UTC)),
        "status_details": snapshots[0] if len(snapshots) == 1 else None,
        "last_activity": max(
            (s["last_activity"] for s in snapshots if "last_activity" in s), default=None
        ),
        "files_processing": sorted(processing, key=itemgetter("started_at")),
        "files_completed": _latest(snapshots, "files_completed", "completed_at", SHOWN_COMPLETED),
        "files_failed": _latest(snapshots, "files_failed", "failed_at", SHOWN_FAILED),
        "websocket_available": is_available,
        "websocket_url": websocket_url,
        "websocket_namespaces": namespaces,
        "fallback_mode": not is_available,
        "events": [*poll.events],
        "next_cursor": poll.next_cursor,
        "up_to_date": poll.up_to_date,
        "poll_after_ms": _poll_after_ms(poll, is_working=bool(processing)),
    }


def _pipeline(row: PipelineRow, summary: Summary, stale_seconds: float) -> WireRagStatusPipeline:
    snapshot = row.snapshot
    return {
        "pipeline_id": row.head.pipeline_id,
        "pipeline_type": row.head.pipeline_type,
        "server_status": snapshot["status"],
        "last_heartbeat": snapshot.get("last_heartbeat"),
        "status_details": snapshot,
        "is_active": snapshot["status"] == "online" and not _is_silent(row, stale_seconds),
        "summary": summary.event,
    }


def _is_silent(row: PipelineRow, stale_seconds: float) -> bool:
    if row.snapshot["status"] != "online":
        return False
    return row.silent_seconds is None or row.silent_seconds > stale_seconds


def _gather(snapshots: Sequence[WirePipelineStatus], files: Files) -> list[dict[str, object]]:
    return [{**file, "pipeline_id": s["pipeline_id"]} for s in snapshots for file in s[files]]


def _latest(
    snapshots: Sequence[WirePipelineStatus], files: Files, at: str, limit: int
) -> list[dict[str, object]]:
    return sorted(_gather(snapshots, files), key=itemgetter(at), reverse=True)[:limit]


def _poll_after_ms(poll: StatusPoll, *, is_working: bool) -> int:
    if not poll.up_to_date:
        return 0
    return WORKING_POLL_MS if is_working else IDLE_POLL_MS
