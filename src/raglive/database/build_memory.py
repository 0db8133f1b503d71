"""How much memory a vector index may be built with: once its graph outgrows it, it takes hours."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import asyncpg
import psutil
import structlog

from raglive.database.sql import load_queries

__all__ = ["give_memory"]

log = structlog.get_logger()

_QUERIES = load_queries("search_indexes")

BYTES_PER_NUMBER = 4
BYTES_PER_NODE = 1_000  # of the graph, beside its vector
SHARED_MEMORY = "/dev/shm"  # noqa: S108 - only its size is read
CONTAINER = Path("/sys/fs/cgroup")
STEP_SECONDS = 30.0


async def give_memory(connection: asyncpg.Connection, chunks: int, dimensions: int) -> None:
    """Let the session build an index of so many vectors in memory, as far as there is some.

    Only of raglive's own server it is known how much: another's setting stays, and if it is too
    little, that is logged when the index is built.
    """
    connection.add_log_listener(_tell)
    row = await connection.fetchrow(_QUERIES["build_memory"], timeout=STEP_SECONDS)
    assert row is not None, "settings have values"
    if row["is_embedded"]:
        wanted = chunks * (dimensions * BYTES_PER_NUMBER + BYTES_PER_NODE)
        given = min(wanted, _room(shared=row["shared_memory"] == "posix"))
        if given > row["allowed"]:
            size = f"{given // 1024}kB"
            await connection.execute(_QUERIES["set_memory"], size, timeout=STEP_SECONDS)


def _room(*, shared: bool) -> int:
    """Return half of the memory that is free, of the shared one if that is less."""
    room = min(int(psutil.virtual_memory().available), _left_to_container())
    if shared:
        volume = os.statvfs(SHARED_MEMORY)
        room = min(room, volume.f_frsize * volume.f_bavail)
    return room // 2


def _left_to_container() -> int:
    """Return what a container that is limited may still take, its file cache counted as taken."""
    try:
        limit = (CONTAINER / "memory.max").read_text().strip()
        taken = int((CONTAINER / "memory.current").read_text())
        return max(0, int(limit) - taken) if limit != "max" else sys.maxsize
    except (OSError, ValueError):
        return sys.maxsize


def _tell(_connection: object, message: asyncpg.PostgresLogMessage) -> None:
    if "maintenance_work_mem" in message.message:
        hint = "raise maintenance_work_mem of the database's role: docs/reference/database.md"
        log.warning("search_index_outgrows_memory", message=message.message, hint=hint)
