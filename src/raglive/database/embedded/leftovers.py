"""Ends what a supervisor or a postmaster that was killed left running on a cluster."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil
import structlog

from raglive.database.embedded.errors import EmbeddedPostgresError

__all__ = ["end_leftovers"]

_FAST_STOP_SECONDS = 20
_IMMEDIATE_STOP_SECONDS = 5
_POLL_SECONDS = 0.01
_log = structlog.get_logger()


async def end_leftovers(cluster: Path) -> None:
    """End every Postgres process on `cluster`, and drop a pid file that names none of them.

    To be called under the folder's lock and with no server of one's own. Does next to nothing after
    a clean stop. Raises EmbeddedPostgresError if a process cannot be ended.
    """
    pid_file = cluster / "postmaster.pid"
    pid = _pid_in(pid_file)
    if pid is not None and _runs_in(pid, cluster):
        _log.warning("embedded_postgres.orphan_found", pid=pid)
        await _end([pid], cluster, signal.SIGINT, _FAST_STOP_SECONDS)
        await _end([pid], cluster, signal.SIGQUIT, _IMMEDIATE_STOP_SECONDS)
    if pid_file.exists():
        left = await asyncio.to_thread(_processes_in, cluster)
        left = await _end(left, cluster, signal.SIGKILL, _IMMEDIATE_STOP_SECONDS)
        if left:
            raise EmbeddedPostgresError(
                f"Postgres process {left[0]} still uses {cluster} and cannot be ended. End it, "
                "then start again."
            )
        _drop_misleading(pid_file)


async def _end(
    pids: Iterable[int], cluster: Path, step: signal.Signals, patience: float
) -> list[int]:
    """Send the signal to those that run, wait, and return those that still run."""
    running = [pid for pid in pids if _runs_in(pid, cluster)]
    for pid in running:
        with suppress(ProcessLookupError):
            os.kill(pid, step)
    deadline = time.monotonic() + patience
    while running and time.monotonic() < deadline:
        await asyncio.sleep(_POLL_SECONDS)
        running = [pid for pid in running if _runs_in(pid, cluster)]
    return running


def _processes_in(cluster: Path) -> list[int]:
    return [pid for pid in psutil.pids() if _runs_in(pid, cluster)]


def _runs_in(pid: int, cluster: Path) -> bool:
    """Tell whether `pid` is a Postgres on `cluster`; one that only waits to be reaped is not."""
    with suppress(psutil.Error, OSError):
        process = psutil.Process(pid)
        return (
            process.name() == "postgres"
            and process.status() != psutil.STATUS_ZOMBIE
            and Path(process.cwd()).samefile(cluster)
        )
    return False


def _drop_misleading(pid_file: Path) -> None:
    """Remove a pid file whose number now is another program's: Postgres would refuse to start."""
    pid = _pid_in(pid_file)
    if pid is None or psutil.pid_exists(pid):
        pid_file.unlink(missing_ok=True)


def _pid_in(pid_file: Path) -> int | None:
    try:
        first = pid_file.read_text(errors="replace").split("\n", 1)[0].strip()
    except FileNotFoundError:
        return None
    return int(first) if first.isdecimal() else None
