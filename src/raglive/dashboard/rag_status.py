"""`/api/rag-status`: the whole status, and the events since a cursor."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from operator import itemgetter
from typing import Any
from zlib import crc32

from raglive.dashboard.status_cache import Board
from raglive.dashboard.system_status import Picture, cursor_expired
from raglive.store.log.event_log import Head
from raglive.store.log.pipeline_status import Standing
from raglive_contract.cursor import Cursor, Position, Start, parse_cursor
from raglive_contract.errors import RagliveError
from raglive_contract.model import rfc3339
from raglive_contract.redaction import Redaction

__all__ = ["Missed", "catch_up", "entity_tag", "full_status"]

MAX_WAIT_SECONDS = 30.0
WORKING_POLL_MS = 1000
IDLE_POLL_MS = 2000
SHOWN_COMPLETED = 10
SHOWN_FAILED = 5

Choose = Callable[[Picture], list[Standing]]


@dataclass(frozen=True, slots=True)
class Missed:
    """What a viewer missed; `next_cursor` covers exactly the events."""

    picture: Picture
    standings: list[Standing]
    events: list[dict[str, Any]]
    next_cursor: str
    up_to_date: bool
    is_redacted: bool = False


async def catch_up(
    board: Board, choose: Choose, cursor: str | None, wait_seconds: float = 0.0
) -> Missed:
    """Return what came after `cursor`, waiting for it up to `wait_seconds`, at most 30.

    Without a cursor, nothing was missed. Raises `cursor_invalid`, `cursor_expired`, `not_found`
    or `DatabaseUnavailable`.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + min(wait_seconds, MAX_WAIT_SECONDS)
    start = Cursor(otherwise=Start.NOW) if cursor is None else parse_cursor(cursor)
    while True:
        picture, standings, seen = await _resume(board, choose, start)
        behind = [(one.head, seen[one.head.epoch]) for one in standings if _is_behind(one, seen)]
        left = deadline - loop.time()
        if cursor is None or behind or left <= 0 or board.closing:
            break
        start = _cursor(seen)
        await board.wait(picture, left)
    events = await picture.events(behind) if behind else []
    return _missed(picture, standings, seen, events)


async def _resume(
    board: Board, choose: Choose, start: Cursor
) -> tuple[Picture, list[Standing], dict[str, int]]:
    """Return what is to be shown, and by epoch the seq up to which it was seen.

    What seems not to exist may be newer than the picture: it is looked for once more.
    """
    picture = await board.current()
    try:
        standings = choose(picture)
        return picture, standings, _seen(start, standings)
    except RagliveError:
        picture = await board.renew()
        standings = choose(picture)
        return picture, standings, _seen(start, standings)


def _seen(start: Cursor, standings: Sequence[Standing]) -> dict[str, int]:
    epochs = [one.head.epoch for one in standings]
    return {
        one.head.epoch: _seq(start.resume(one.head.epoch, epochs), one.head) for one in standings
    }


def _seq(start: Position | Start, head: Head) -> int:
    match start:
        case Position(seq=seq) if seq <= head.seq:
            return seq
        case Start.BEGINNING:
            return 0
        case Start.NOW:
            return head.seq
    raise cursor_expired()


def _is_behind(one: Standing, seen: dict[str, int]) -> bool:
    return seen[one.head.epoch] < one.head.seq


def _cursor(seen: dict[str, int]) -> Cursor:
    return Cursor.of(Position(epoch, seq) for epoch, seq in seen.items())


def _missed(
    picture: Picture,
    standings: list[Standing],
    seen: dict[str, int],
    events: list[dict[str, Any]],
) -> Missed:
    reached = dict(seen)
    for event in events:
        epoch, _, _ = event["cursor"].partition(".")
        reached[epoch] = event["seq"]
    is_complete = not any(_is_behind(one, reached) for one in standings)
    return Missed(picture, standings, events, str(_cursor(reached)), is_complete)


def redacted(missed: Missed, redaction: Redaction) -> Missed:
    """Return what a redacted viewer is shown of what it missed."""
    return replace(
        missed,
        standings=[
            replace(one, snapshot=redaction.status(one.snapshot)) for one in missed.standings
        ],
        events=[redaction.event(event) for event in missed.events],
        is_redacted=True,
    )


def entity_tag(missed: Missed, *, is_fallback: bool, stale_seconds: float) -> str:
    """Return the ETag: the cursor, and a revision when something changes without an event.

    That is progress and heartbeats while files are processed, a pipeline that has fallen silent,
    and the status server being away. What is redacted has tags of its own.
    """
    silent = [one.head.pipeline_key for one in missed.standings if _is_silent(one, stale_seconds)]
    revision = missed.picture.revision(missed.standings)
    if not is_fallback and not silent and revision is None and not missed.is_redacted:
        return f'"{missed.next_cursor}"'
    volatile = crc32(repr((is_fallback, silent, revision, missed.is_redacted)).encode())
    return f'"{missed.next_cursor};{volatile:08x}"'


def full_status(
    missed: Missed,
    *,
    websocket_url: str,
    namespaces: list[str],
    is_available: bool,
    stale_seconds: float,
) -> dict[str, Any]:
    """Return `RagStatus` in its wire form."""
    snapshots = [one.snapshot for one in missed.standings]
    processing = _gather(snapshots, "files_processing")
    is_online = any(snapshot["status"] == "online" for snapshot in snapshots)
    return {
        "status": "online" if is_online else "offline",
        "pipelines": [_pipeline(one, stale_seconds) for one in missed.standings],
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
        "events": missed.events,
        "next_cursor": missed.next_cursor,
        "up_to_date": missed.up_to_date,
        "poll_after_ms": _poll_after_ms(missed, is_working=bool(processing)),
    }


def _pipeline(one: Standing, stale_seconds: float) -> dict[str, Any]:
    snapshot = one.snapshot
    return {
        "pipeline_id": one.head.pipeline_id,
        "pipeline_type": one.head.pipeline_type,
        "server_status": snapshot["status"],
        "last_heartbeat": snapshot.get("last_heartbeat"),
        "status_details": snapshot,
        "is_active": snapshot["status"] == "online" and not _is_silent(one, stale_seconds),
    }


def _is_silent(one: Standing, stale_seconds: float) -> bool:
    if one.snapshot["status"] != "online":
        return False
    return one.silent_seconds is None or one.silent_seconds > stale_seconds


def _gather(snapshots: Sequence[dict[str, Any]], files: str) -> list[dict[str, Any]]:
    return [file | {"pipeline_id": s["pipeline_id"]} for s in snapshots for file in s[files]]


def _latest(
    snapshots: Sequence[dict[str, Any]], files: str, at: str, limit: int
) -> list[dict[str, Any]]:
    return sorted(_gather(snapshots, files), key=itemgetter(at), reverse=True)[:limit]


def _poll_after_ms(missed: Missed, *, is_working: bool) -> int:
    if not missed.up_to_date:
        return 0
    return WORKING_POLL_MS if is_working else IDLE_POLL_MS
