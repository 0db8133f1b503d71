"""Migrations: bring the schema of a database to this version."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files

import asyncpg

from raglive.store.errors import connect_with_retry, explain_errors, first_line, place_of
from raglive.store.origin import recognize_origin
from raglive.store.requirements import require_usable
from raglive_contract.errors import ErrorCode, RagliveError

__all__ = [
    "Migration",
    "MigrationError",
    "all_migrations",
    "check_schema",
    "explain_schema_errors",
    "migrate",
    "missing_migrations",
]

_FILE = re.compile(r"(\d{4})_(\w+)\.sql")
_LOCK = 0x7261676C697665  # "raglive"
OTHER_PROCESS_SECONDS = 60  # for another process that migrates
LOCK_SECONDS = 5  # for a table in use; queries queue behind the migration for as long
STATEMENT_SECONDS = 600.0
_TABLE = """
CREATE SCHEMA IF NOT EXISTS raglive;
CREATE TABLE IF NOT EXISTS raglive.migrations (
    version integer PRIMARY KEY,
    name text NOT NULL,
    sha256 text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE raglive.migrations ENABLE ROW LEVEL SECURITY;
"""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema, applied in its own transaction."""

    version: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """The hash by which a changed migration of the same number is recognised."""
        return sha256(self.sql.encode()).hexdigest()


def all_migrations() -> list[Migration]:
    """Return every migration in the order of its number."""
    folder = files("raglive.store").joinpath("migrations")
    named = ((_FILE.fullmatch(path.name), path) for path in folder.iterdir())
    found = [
        Migration(int(match[1]), match[2], path.read_text("utf-8"))
        for match, path in named
        if match
    ]
    return sorted(found, key=lambda migration: migration.version)


async def migrate(dsn: str, cluster_files: str | None = None) -> list[Migration]:
    """Apply the missing migrations one by one, and return them; then recognise a restored backup.

    `cluster_files` is from `identity_of_files`, for an embedded database. Idempotent, and safe in
    several processes at once. Raises `MigrationError` if a newer version or other migrations made
    the schema, and what `connect_with_retry` and `require_usable` raise.
    """
    async with _connected(dsn) as connection:
        applied = [m for m in all_migrations() if await _apply(connection, m, place_of(dsn))]
        await recognize_origin(connection, cluster_files)
        return applied


async def check_schema(dsn: str) -> None:
    """Raise `MigrationError` unless the database has exactly this version's schema.

    Raises what `connect_with_retry` and `require_usable` raise, too.
    """
    async with _connected(dsn) as connection:
        missing = await missing_migrations(connection)
        if not missing:
            await recognize_origin(connection)
    if missing:
        raise MigrationError(
            f"The database at {place_of(dsn)} lacks {len(missing)} migration(s), from "
            f"{missing[0].version:04d}. Run `raglive db migrate`."
        )


async def missing_migrations(connection: asyncpg.Connection) -> list[Migration]:
    """Return the migrations that a database lacks; raise `MigrationError` for another's schema."""
    return [m for m in all_migrations() if not await _is_applied(connection, m)]


@asynccontextmanager
async def _connected(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """Connect to a database that meets the requirements."""
    connection = await connect_with_retry(
        dsn,
        lambda: asyncpg.connect(
            dsn, timeout=10, command_timeout=STATEMENT_SECONDS, statement_cache_size=0
        ),
    )
    try:
        with explain_errors(dsn):
            await require_usable(connection, dsn)
            yield connection
    finally:
        await connection.close(timeout=5)


async def _apply(connection: asyncpg.Connection, migration: Migration, place: str) -> bool:
    if await _is_applied(connection, migration):
        return False
    with explain_schema_errors(place):
        async with connection.transaction():
            await connection.execute(f"SET LOCAL lock_timeout = '{OTHER_PROCESS_SECONDS}s'")
            await connection.execute("SELECT pg_advisory_xact_lock($1)", _LOCK)
            await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_SECONDS}s'")
            await connection.execute(_TABLE)
            if await _is_applied(connection, migration):
                return False
            await connection.execute(migration.sql)
            await connection.execute(
                "INSERT INTO raglive.migrations (version, name, sha256) VALUES ($1, $2, $3)",
                migration.version,
                migration.name,
                migration.sha256,
            )
    return True


async def _is_applied(connection: asyncpg.Connection, migration: Migration) -> bool:
    if await connection.fetchval("SELECT to_regclass('raglive.migrations') IS NULL"):
        return False
    newest = await connection.fetchval("SELECT max(version) FROM raglive.migrations") or 0
    if newest > all_migrations()[-1].version:
        raise MigrationError(
            f"The database has schema {newest:04d}, made by a newer raglive. Upgrade this one."
        )
    applied = await connection.fetchval(
        "SELECT sha256 FROM raglive.migrations WHERE version = $1", migration.version
    )
    if applied is not None and applied != migration.sha256:
        raise MigrationError(
            f"Migration {migration.version:04d} of the database differs from this version's. "
            "The database was made by another build of raglive: use a new database."
        )
    return applied is not None


_NAME_CONFLICTS = (
    asyncpg.DuplicateObjectError,
    asyncpg.DuplicateTableError,
    asyncpg.DuplicateFunctionError,
)


class MigrationError(RagliveError):
    """The schema of the database does not fit this version, or cannot be made to."""

    code = ErrorCode.SCHEMA_MISMATCH


@contextmanager
def explain_schema_errors(place: str) -> Iterator[None]:
    """Turn errors of the server about the schema into `MigrationError`, with what to do."""
    try:
        yield
    except asyncpg.LockNotAvailableError as error:
        raise MigrationError(
            f"Another session of {place} holds a lock that the migration needs. Nothing was "
            "changed: try again when long transactions on raglive's tables have ended.",
            retryable=True,
        ) from error
    except asyncpg.InsufficientPrivilegeError as error:
        raise MigrationError(
            f"The database user may not make the schema in {place}: {first_line(error)}. "
            + (
                "Let a superuser run CREATE EXTENSION vector in this database."
                if "extension" in str(error)
                else "Set DATABASE_URL to the database's owner."
            )
        ) from error
    except (asyncpg.FeatureNotSupportedError, asyncpg.UndefinedFileError) as error:
        raise MigrationError(
            f"The server of {place} lacks what raglive needs: {first_line(error)}. Install "
            "pgvector there, such as the package postgresql-17-pgvector."
        ) from error
    except _NAME_CONFLICTS as error:
        raise MigrationError(
            f"In {place}, an object that raglive did not make is in the way: {first_line(error)}. "
            "Rename it, or give raglive a database of its own."
        ) from error
