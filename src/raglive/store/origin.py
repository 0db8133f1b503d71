"""Recognises a restored backup and a standby that took over, and gives their logs new epochs."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import asyncpg
import structlog
from asyncpg.pool import PoolConnectionProxy

__all__ = [
    "begin_epochs",
    "identity_of_files",
    "installation_id",
    "recognize_failover",
    "recognize_origin",
]

Connection = asyncpg.Connection | PoolConnectionProxy

_UNDECIDED = (
    asyncpg.InvalidSchemaNameError,
    asyncpg.UndefinedFunctionError,
    asyncpg.InsufficientPrivilegeError,
    asyncpg.ObjectNotInPrerequisiteStateError,
    asyncpg.ReadOnlySQLTransactionError,
)

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


async def recognize_failover(connection: asyncpg.Connection) -> None:
    """As `recognize_origin`, for a connection that may be to another server than the last one.

    Does nothing where it cannot be decided: without the schema or the right, and on a standby.
    """
    with suppress(*_UNDECIDED):
        await recognize_origin(connection)


async def begin_epochs(connection: Connection) -> int:
    """Give every log a new epoch, and return their number."""
    begun: int = await connection.fetchval("SELECT raglive.begin_epochs()")
    return begun


async def installation_id(connection: Connection) -> str:
    """Return what tells this database from another one of the same Redis; copies share it."""
    return str(await connection.fetchval("SELECT installation FROM raglive.origin"))
