"""The answer of `/api/rag-status` in its wire form, and its ETag."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from operator import itemgetter
from typing import Literal
from zlib import crc32

from raglive.dashboard.seen_pipelines import SeenPipelines, is_silent
from raglive.dashboard.status_cache import ShownPipeline
from raglive.store.log.pipeline_status import PipelineRow
from raglive_contract.model import rfc3339
from raglive_contract.redaction import Redaction
from raglive_contract.wire import (
    WireDurableEvent,
    WirePipelineStatus,
    WireRagStatus,
    WireRagStatusPipeline,
)

__all__ = ["StatusAnswer", "entity_tag", "full_status", "wire_pipeline"]

WORKING_POLL_MS = 1000
IDLE_POLL_MS = 2000
SHOWN_COMPLETED = 10
SHOWN_FAILED = 5
LONGEST_TAG = 1000  # characters of a cursor; proxies limit the headers of an answer

Files = Literal["files_processing", "files_completed", "files_failed"]


@dataclass(frozen=True, slots=True)
class StatusAnswer:
    """An answer, which `next_cursor` and `seen` cover exactly.

    `rows` are all pipelines that the caller may view, `pipelines` those that are sent, and
    `pipelines_left` is the number of those that did not fit. `seen` is None for a caller that did
    not ask for differences. `removed` are epochs.
    """

    rows: list[PipelineRow]
    pipelines: list[WireRagStatusPipeline]
    events: list[WireDurableEvent]
    next_cursor: str
    up_to_date: bool
    seen: SeenPipelines | None = None
    removed: list[str] = field(default_factory=list)
    pipelines_left: int = 0


def entity_tag(answer: StatusAnswer, told: object) -> str:
    """Compute the ETag: the cursor, and a checksum of what changes without an event.

    `told` is what else the answer depends on; None if it is as usual. The tag of a difference
    also names its parts. A long cursor is replaced by its hash.
    """
    position = answer.next_cursor
    if len(position) > LONGEST_TAG:
        position = sha256(position.encode()).hexdigest()
    if answer.seen is not None:
        sent = [it["pipeline_id"] for it in answer.pipelines]
        parts = (str(answer.seen), sent, answer.removed, len(answer.events))
        told = (told, parts)
    if told is None:
        return f'"{position}"'
    return f'"{position};{crc32(repr(told).encode()):08x}"'


def full_status(
    answer: StatusAnswer, *, websocket_url: str, namespaces: list[str], is_available: bool
) -> WireRagStatus:
    """Build `RagStatus` in its wire form."""
    snapshots = [it["status_details"] for it in answer.pipelines]
    is_online = any(row.status == "online" for row in answer.rows)
    activity = [row.last_activity for row in answer.rows if row.last_activity is not None]
    body: WireRagStatus = {
        "status": "online" if is_online else "offline",
        "pipelines": answer.pipelines,
        "serverTime": rfc3339(datetime.now(UTC)),
        "status_details": snapshots[0] if len(snapshots) == len(answer.rows) == 1 else None,
        "last_activity": max(activity, default=None),
        "files_processing": sorted(
            _gather(snapshots, "files_processing"), key=itemgetter("started_at")
        ),
        "files_completed": _latest(snapshots, "files_completed", "completed_at", SHOWN_COMPLETED),
        "files_failed": _latest(snapshots, "files_failed", "failed_at", SHOWN_FAILED),
        "websocket_available": is_available,
        "websocket_url": websocket_url,
        "websocket_namespaces": namespaces,
        "fallback_mode": not is_available,
        "events": [*answer.events],
        "next_cursor": answer.next_cursor,
        "up_to_date": answer.up_to_date,
        "poll_after_ms": _poll_after_ms(answer),
    }
    if answer.seen is not None:
        body["seen"] = str(answer.seen)
        body["removed"] = answer.removed
    if answer.pipelines_left:
        body["pipelines_left"] = answer.pipelines_left
    return body


def wire_pipeline(
    shown: ShownPipeline, stale_seconds: float, redaction: Redaction | None
) -> WireRagStatusPipeline:
    """Build `RagStatusPipeline` in its wire form, masked for a redacted viewer."""
    row, status, summary = shown.row, shown.status, shown.summary.event
    if redaction is not None:
        status, summary = redaction.status(status), redaction.event(summary)
    return {
        "pipeline_id": row.head.pipeline_id,
        "pipeline_type": row.head.pipeline_type,
        "server_status": row.status,
        "last_heartbeat": row.last_heartbeat,
        "status_details": status,
        "is_active": row.status == "online" and not is_silent(row, stale_seconds),
        "summary": summary,
    }


def _gather(snapshots: Sequence[WirePipelineStatus], files: Files) -> list[dict[str, object]]:
    return [{**file, "pipeline_id": s["pipeline_id"]} for s in snapshots for file in s[files]]


def _latest(
    snapshots: Sequence[WirePipelineStatus], files: Files, at: str, limit: int
) -> list[dict[str, object]]:
    return sorted(_gather(snapshots, files), key=itemgetter(at), reverse=True)[:limit]


def _poll_after_ms(answer: StatusAnswer) -> int:
    if not answer.up_to_date:
        return 0
    is_working = any(row.progress is not None for row in answer.rows)
    return WORKING_POLL_MS if is_working else IDLE_POLL_MS
