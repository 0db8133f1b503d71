"""What raglive requires of a database before a process uses it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import asyncpg

from raglive.store.errors import DatabaseMisconfigured, place_of
from raglive.store.sql import load_queries
from raglive_contract.errors import RagliveError

__all__ = ["ServerFacts", "require_usable"]

OLDEST_SERVER = 15  # major version of Postgres
OLDEST_PGVECTOR = (0, 8)

_QUERIES = load_queries(__name__)


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """The facts about a database on which raglive depends."""

    place: str
    version: str
    major: int
    is_standby: bool
    is_read_only: bool
    pgvector: str | None
    role: str
    owner: str | None
    """The owner of the schema raglive; None if there is no such schema."""
    is_owner: bool

    @classmethod
    async def read(cls, connection: asyncpg.Connection, dsn: str) -> Self:
        """Read the facts in one query; raises the driver's errors."""
        version = connection.get_server_version()
        [row] = await connection.fetch(_QUERIES["read"])
        return cls(place_of(dsn), f"{version.major}.{version.minor}", version.major, **row)

    def faults(self) -> Iterator[RagliveError]:
        """Yield an error with one sentence for each requirement that is not met."""
        if self.major < OLDEST_SERVER:
            yield DatabaseMisconfigured(
                f"The database server at {self.place} is Postgres {self.version}, and raglive "
                f"needs {OLDEST_SERVER} or newer. Upgrade it, or unset DATABASE_URL to use the "
                "embedded server."
            )
        if self.is_standby:
            yield DatabaseMisconfigured(
                f"The database server at {self.place} is a standby, which is read-only. Set "
                "DATABASE_URL to its primary server."
            )
        elif self.is_read_only:
            yield DatabaseMisconfigured(
                f"The database at {self.place} is in read-only mode. Hosting services do this when "
                "the disk is nearly full: add space. Otherwise reset "
                "default_transaction_read_only."
            )
        if not self.is_owner:
            yield DatabaseMisconfigured(
                f"The user {self.role} has no rights on raglive's tables in the database at "
                f"{self.place}. Set DATABASE_URL to the user {self.owner}, which owns them."
            )
        if self.pgvector is None and self.owner is not None:
            yield DatabaseMisconfigured(
                f"The database at {self.place} has raglive's schema but not the extension vector. "
                "If it was dropped, restore a backup or use a new database: the vectors are gone."
            )
        if self.pgvector is not None and _numbers(self.pgvector) < OLDEST_PGVECTOR:
            yield DatabaseMisconfigured(
                f"The database at {self.place} has pgvector {self.pgvector}, and raglive needs "
                f"{'.'.join(map(str, OLDEST_PGVECTOR))} or newer. Upgrade it on the server, then "
                "run ALTER EXTENSION vector UPDATE."
            )


async def require_usable(connection: asyncpg.Connection, dsn: str) -> None:
    """Raise `DatabaseMisconfigured` for the first requirement that is not met."""
    for fault in (await ServerFacts.read(connection, dsn)).faults():
        raise fault


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.split(".") if part.isdecimal())
