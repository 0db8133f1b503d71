"""The memory for building a vector index: a graph that does not fit takes many times longer."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import asyncpg
import psutil
import structlog

from raglive.store.index.index_statistics import STEP_SECONDS
from raglive.store.sql import load_queries

__all__ = ["raise_build_memory"]

log = structlog.get_logger()

_QUERIES = load_queries(__name__)

BYTES_PER_NUMBER = 4
BYTES_PER_NODE = 1_000  # of the graph, in addition to the vector
SHARED_MEMORY = "/dev/shm"  # noqa: S108 - only its size is read
CONTAINER = Path("/sys/fs/cgroup")


async def raise_build_memory(connection: asyncpg.Connection, chunks: int, dimensions: int) -> None:
    """Raise `maintenance_work_mem` of the session so that an index of this size fits.

    Only on the embedded server, whose memory is that of this machine. On another server the
    setting stays, and a warning is logged if it is too small.
    """
    connection.add_log_listener(_warn_of_outgrown)
    row = await connection.fetchrow(_QUERIES["settings"], timeout=STEP_SECONDS)
    assert row is not None, "settings have values"
    if row["is_embedded"]:
        needed = chunks * (dimensions * BYTES_PER_NUMBER + BYTES_PER_NODE)
        granted = min(needed, _available_bytes(shared=row["shared_memory"] == "posix"))
        if granted > row["work_memory"]:
            size = f"{granted // 1024}kB"
            await connection.execute(_QUERIES["set_work_memory"], size, timeout=STEP_SECONDS)


def _available_bytes(*, shared: bool) -> int:
    """Return half of the free memory, or of the free shared memory if that is less."""
    free = min(int(psutil.virtual_memory().available), _container_bytes())
    if shared:
        volume = os.statvfs(SHARED_MEMORY)
        free = min(free, volume.f_frsize * volume.f_bavail)
    return free // 2


def _container_bytes() -> int:
    """Return what the container's memory limit leaves, with its file cache counted as used."""
    try:
        limit = (CONTAINER / "memory.max").read_text().strip()
        used = int((CONTAINER / "memory.current").read_text())
        return max(0, int(limit) - used) if limit != "max" else sys.maxsize
    except (OSError, ValueError):
        return sys.maxsize


def _warn_of_outgrown(_connection: object, message: asyncpg.PostgresLogMessage) -> None:
    if "maintenance_work_mem" in message.message:
        hint = "raise maintenance_work_mem of the database's role: docs/reference/database.md"
        log.warning("search_index_outgrows_memory", message=message.message, hint=hint)
