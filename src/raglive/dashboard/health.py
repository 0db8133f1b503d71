"""`/api/health`: the health of the database, the status server and the pipelines."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Literal

from raglive import __version__
from raglive.dashboard.status_probe import Probe
from raglive.store.log.pipeline_status import PipelineReads, PipelineRow
from raglive_contract.errors import RagliveError
from raglive_contract.model import rfc3339

__all__ = ["database_health", "pipelines_health", "system_health", "websocket_health"]


async def database_health(reads: PipelineReads) -> dict[str, Any]:
    """Query the database and build `DatabaseHealth`."""
    started = time.perf_counter()
    try:
        await reads.ping()
    except RagliveError as error:
        return {"status": "unhealthy", "latency": None, "error": error.message}
    latency_ms = round((time.perf_counter() - started) * 1000, 2)
    return {"status": "healthy", "latency": latency_ms}


def websocket_health(probe: Probe, url: str) -> dict[str, Any]:
    """Build `WebSocketHealth` from the last probe."""
    return {
        "status": "unhealthy" if probe.verdict == "unavailable" else probe.verdict,
        "url": url,
        "latency": probe.latency_ms,
        "connected_clients": probe.health.connected_clients if probe.health else None,
    }


def pipelines_health(rows: Sequence[PipelineRow], stale_seconds: float) -> dict[str, Any]:
    """Build `PipelineHealth` by type; of several pipelines, the worst state counts."""
    by_type: dict[str, list[PipelineRow]] = defaultdict(list)
    for row in rows:
        by_type[row.head.pipeline_type].append(row)
    return {kind: _together(of_type, stale_seconds) for kind, of_type in by_type.items()}


def system_health(
    database: dict[str, Any], websocket: dict[str, Any], pipelines: dict[str, Any], uptime: float
) -> dict[str, Any]:
    """Build `SystemHealth`: unhealthy without a database, otherwise degraded by any service."""
    parts = [websocket, *pipelines.values()]
    if database["status"] != "healthy":
        status = "unhealthy"
    else:
        status = "healthy" if all(p["status"] == "healthy" for p in parts) else "degraded"
    return {
        "status": status,
        "services": {"database": database, "websocket": websocket, "rag_pipelines": pipelines},
        "version": __version__,
        "uptime": round(uptime, 3),
        "timestamp": rfc3339(datetime.now(UTC)),
    }


def _together(rows: Sequence[PipelineRow], stale_seconds: float) -> dict[str, Any]:
    states = [_state(row, stale_seconds) for row in rows]
    found = {_VERDICTS[state] for state in states}
    beats = [row.last_heartbeat for row in rows if row.last_heartbeat is not None]
    return {
        "status": found.pop() if len(found) == 1 else "degraded",
        "state": max(states, key=list(_VERDICTS).index),
        "last_heartbeat": max(beats, default=None),
        **_first(rows, "problem"),
        **_first(rows, "paused"),
    }


_VERDICTS = {  # the worse, the later
    "running": "healthy",
    "paused": "degraded",
    "needs_attention": "degraded",
    "silent": "degraded",
    "offline": "unhealthy",
}


def _state(row: PipelineRow, stale_seconds: float) -> str:
    if row.status != "online":
        return "offline"
    if row.silent_seconds is None or row.silent_seconds > stale_seconds:
        return "silent"
    if row.problem:
        return "needs_attention"
    return "paused" if row.paused else "running"


def _first(rows: Sequence[PipelineRow], field: Literal["problem", "paused"]) -> dict[str, Any]:
    return next(({field: found} for row in rows if (found := getattr(row, field))), {})
