"""What goes wrong with a database, said so that it can be mended."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar
from urllib.parse import urlsplit

import asyncpg
import structlog

from raglive_contract.errors import ErrorCode, RagliveError

__all__ = [
    "DATABASE_ERRORS",
    "TRANSIENT",
    "DatabaseMisconfigured",
    "DatabaseUnavailable",
    "connect_patiently",
    "explain",
    "place_of",
    "retry_transient",
]

log = structlog.get_logger()

Result = TypeVar("Result")

TRANSIENT: tuple[type[BaseException], ...] = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.DiskFullError,
    asyncpg.LockNotAvailableError,
    asyncpg.InternalClientError,
)

DATABASE_ERRORS: tuple[type[BaseException], ...] = (*TRANSIENT, asyncpg.PostgresError)


class DatabaseUnavailable(RagliveError):
    """The database does not answer now; it may later."""

    code = ErrorCode.UNAVAILABLE
    retryable = True


class DatabaseMisconfigured(RagliveError):
    """The database will never answer until a setting is changed."""

    code = "database_misconfigured"


def place_of(dsn: str) -> str:
    """Return host, port and database of the address, without its password."""
    parts = urlsplit(dsn)
    return f"{parts.hostname or 'localhost'}:{parts.port or 5432}{parts.path or '/'}"


def explain(error: BaseException, dsn: str) -> RagliveError:
    """Return the error that says what to do about a failed connection."""
    place = place_of(dsn)
    if isinstance(error, asyncpg.InvalidAuthorizationSpecificationError):
        return DatabaseMisconfigured(
            f"The database at {place} refused the user name or password. Correct DATABASE_URL."
        )
    if isinstance(error, asyncpg.InvalidCatalogNameError):
        return DatabaseMisconfigured(
            f"There is no such database at {place}. Create it, or correct DATABASE_URL."
        )
    if isinstance(error, ValueError | asyncpg.ClientConfigurationError):
        return DatabaseMisconfigured(
            "DATABASE_URL is not an address of a database. It should look like "
            "postgresql://user:password@host:5432/name."
        )
    return DatabaseUnavailable(
        f"The database at {place} does not answer ({type(error).__name__}). "
        "Check that it runs and that DATABASE_URL names it."
    )


async def connect_patiently(
    dsn: str, connect: Callable[[], Awaitable[Result]], *, within_seconds: float = 10.0
) -> Result:
    """Connect, waiting for a database that is starting, or starting again.

    Raises `DatabaseMisconfigured` at once, and `DatabaseUnavailable` after `within_seconds`.
    """
    deadline = asyncio.get_running_loop().time() + within_seconds
    while True:
        try:
            return await connect()
        except TRANSIENT as error:
            is_final = isinstance(error, ValueError)  # asyncpg says so of a malformed address
            if is_final or asyncio.get_running_loop().time() > deadline:
                raise explain(error, dsn) from error
            await asyncio.sleep(0.1)
        except (asyncpg.PostgresError, ValueError) as error:
            raise explain(error, dsn) from error


async def retry_transient(
    operation: Callable[[], Awaitable[Result]], *, within_seconds: float = 60.0, what: str
) -> Result:
    """Run an operation that may safely run twice, again while the database is away.

    Raises `DatabaseUnavailable` when it was away for all of `within_seconds`.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within_seconds
    pause = 0.05
    while True:
        try:
            return await operation()
        except TRANSIENT as error:
            if loop.time() + pause > deadline:
                raise DatabaseUnavailable(
                    f"The database did not answer for {within_seconds:.0f} s while {what} "
                    f"({type(error).__name__})."
                ) from error
            log.warning("database_retry", what=what, error=type(error).__name__)
            await asyncio.sleep(pause)
            pause = min(pause * 2, 2.0)
