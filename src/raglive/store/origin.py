"""Recognises a restored backup, and gives its logs new epochs."""

from __future__ import annotations

from pathlib import Path

import asyncpg
import structlog

from raglive.store.pool import Database

__all__ = ["begin_epochs", "identity_of_files", "installation_id", "recognize_origin"]

log = structlog.get_logger()


def identity_of_files(cluster: Path) -> str:
    """Return what identifies the files of a database: a restored copy has another one.

    `PG_VERSION` is written once. A copy has another inode, and a change time that no program can
    set. Raises OSError.
    """
    found = (cluster / "PG_VERSION").stat()
    return f"{found.st_ino}/{found.st_ctime_ns}"


async def recognize_origin(connection: asyncpg.Connection, files: str | None = None) -> None:
    """Begin new epochs if the database was restored; `files` is from `identity_of_files`."""
    begun = await connection.fetchval("SELECT raglive.recognize_origin($1)", files)
    if begun:
        log.warning("restored_database", logs=begun, effect="viewers get a new snapshot")


async def begin_epochs(database: Database) -> int:
    """Give every log a new epoch, and return their number."""
    begun: int = await database.fetchval("SELECT raglive.begin_epochs()")
    return begun


async def installation_id(database: Database) -> str:
    """Return what tells this database from another one of the same Redis; copies share it."""
    return str(await database.fetchval("SELECT installation FROM raglive.origin"))
