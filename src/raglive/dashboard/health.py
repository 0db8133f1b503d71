"""`/api/health`: every part of the system at once."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from raglive import __version__
from raglive.dashboard.status_probe import Probe
from raglive.store.log.pipeline_status import PipelineReads, Standing
from raglive_contract.errors import RagliveError
from raglive_contract.model import rfc3339

__all__ = ["database_health", "pipelines_health", "system_health", "websocket_health"]


async def database_health(reads: PipelineReads) -> dict[str, Any]:
    """Return `DatabaseHealth`, by asking."""
    started = time.perf_counter()
    try:
        await reads.ping()
    except RagliveError as error:
        return {"status": "unhealthy", "latency": None, "error": error.message}
    latency_ms = round((time.perf_counter() - started) * 1000, 2)
    return {"status": "healthy", "latency": latency_ms}


def websocket_health(probe: Probe, url: str) -> dict[str, Any]:
    """Return `WebSocketHealth`."""
    return {
        "status": "unhealthy" if probe.verdict == "unavailable" else probe.verdict,
        "url": url,
        "latency": probe.latency_ms,
        "connected_clients": probe.health.connected_clients if probe.health else None,
    }


def pipelines_health(standings: Sequence[Standing], stale_seconds: float) -> dict[str, Any]:
    """Return `PipelineHealth` by type: of several pipelines, all must be well, or one is amiss."""
    by_type: dict[str, list[Standing]] = defaultdict(list)
    for one in standings:
        by_type[one.head.pipeline_type].append(one)
    return {kind: _together(of_type, stale_seconds) for kind, of_type in by_type.items()}


def system_health(
    database: dict[str, Any], websocket: dict[str, Any], pipelines: dict[str, Any], uptime: float
) -> dict[str, Any]:
    """Return `SystemHealth`: without a database nothing works, without the rest something does."""
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


def _together(standings: Sequence[Standing], stale_seconds: float) -> dict[str, Any]:
    states = [_state(one, stale_seconds) for one in standings]
    found = {_VERDICTS[state] for state in states}
    beats = [
        one.snapshot["last_heartbeat"] for one in standings if "last_heartbeat" in one.snapshot
    ]
    return {
        "status": found.pop() if len(found) == 1 else "degraded",
        "state": max(states, key=list(_VERDICTS).index),
        "last_heartbeat": max(beats, default=None),
        **_first(standings, "problem"),
        **_first(standings, "paused"),
    }


_VERDICTS = {  # the worse, the later
    "running": "healthy",
    "paused": "degraded",
    "needs_attention": "degraded",
    "silent": "degraded",
    "offline": "unhealthy",
}


def _state(one: Standing, stale_seconds: float) -> str:
    if one.snapshot["status"] != "online":
        return "offline"
    if one.silent_seconds is None or one.silent_seconds > stale_seconds:
        return "silent"
    if "problem" in one.snapshot:
        return "needs_attention"
    return "paused" if "paused" in one.snapshot else "running"


def _first(standings: Sequence[Standing], what: str) -> dict[str, Any]:
    return next(({what: one.snapshot[what]} for one in standings if what in one.snapshot), {})
