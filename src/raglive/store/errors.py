"""Errors of the database: which are worth a retry, what to do about the others, and the retry."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar
from urllib.parse import urlsplit

import asyncpg
import structlog

from raglive_contract.backoff import Backoff
from raglive_contract.errors import ErrorCode, RagliveError

__all__ = [
    "DATABASE_ERRORS",
    "STORE_ERRORS",
    "TRANSIENT",
    "DatabaseMisconfigured",
    "DatabaseUnavailable",
    "connect_with_retry",
    "explain",
    "explain_errors",
    "first_line",
    "place_of",
    "retry_transient",
]

log = structlog.get_logger()

Result = TypeVar("Result")
ErrorGroup = tuple[type[BaseException], ...]

# The database is away or busy: the same operation may succeed later.
TRANSIENT: ErrorGroup = (
    OSError,
    TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.InsufficientResourcesError,  # of disk, memory or connections
    asyncpg.ReadOnlySQLTransactionError,  # while another server becomes the primary
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.LockNotAvailableError,
    asyncpg.IdleInTransactionSessionTimeoutError,  # this process hung in a transaction
    asyncpg.InternalClientError,
)

# Everything that the driver raises.
DATABASE_ERRORS: ErrorGroup = (*TRANSIENT, asyncpg.PostgresError)

# Everything that a call into `raglive.store` raises: the driver's errors and raglive's own.
STORE_ERRORS: ErrorGroup = (RagliveError, *DATABASE_ERRORS)

_CONNECT_ERRORS: ErrorGroup = (*DATABASE_ERRORS, ValueError)  # of a malformed address

RETRY = Backoff(first_seconds=0.1, longest_seconds=2.0)
CONNECT_RETRY = Backoff(first_seconds=0.1, longest_seconds=0.2)  # a starting server is soon there


class DatabaseUnavailable(RagliveError):
    """The database does not answer at the moment."""

    code = ErrorCode.UNAVAILABLE
    retryable = True


class DatabaseMisconfigured(RagliveError):
    """The database cannot be used until somebody changes a setting."""

    code = ErrorCode.DATABASE_MISCONFIGURED


def place_of(dsn: str) -> str:
    """Return `host:port/database` of an address, without user name and password.

    An address that is not valid gives `DATABASE_URL`: what looks like its host may be a part of
    the password.
    """
    try:
        parts = urlsplit(dsn)
        host, port, user = parts.hostname, parts.port, parts.netloc.rpartition("@")[0]
    except ValueError:
        return "DATABASE_URL"
    if "@" in user or "@" in f"{parts.path}{parts.query}{parts.fragment}":
        return "DATABASE_URL"
    return f"{host or 'localhost'}:{port or 5432}{parts.path or '/'}"


_SENTENCES: tuple[tuple[type[BaseException], type[RagliveError], str], ...] = (
    (
        asyncpg.DiskFullError,
        DatabaseUnavailable,
        "{database} has no space left on its disk. Free or add space; nothing that was reported as "
        "completed is lost.",
    ),
    (
        asyncpg.TooManyConnectionsError,
        DatabaseUnavailable,
        "{database} has no free connection. Stop programs that hold connections, or raise its "
        "max_connections.",
    ),
    (
        asyncpg.InvalidAuthorizationSpecificationError,
        DatabaseMisconfigured,
        "{database} refused the user name or password. Correct DATABASE_URL.",
    ),
    (
        asyncpg.InvalidCatalogNameError,
        DatabaseMisconfigured,
        "{database} does not exist. Create it, or correct DATABASE_URL.",
    ),
    (
        asyncpg.InsufficientPrivilegeError,
        DatabaseMisconfigured,
        "{database} refused a statement of the user of DATABASE_URL: {error}. Set DATABASE_URL to "
        "the user that owns the schema raglive.",
    ),
    (
        asyncpg.ReadOnlySQLTransactionError,
        DatabaseMisconfigured,
        "{database} is read-only: {error}. Set DATABASE_URL to the primary server, or end the "
        "read-only mode.",
    ),
)


def explain(error: BaseException, dsn: str) -> RagliveError:
    """Return an error with one sentence on what is wrong with the database of `dsn`."""
    database = f"The database at {place_of(dsn)}"
    if isinstance(error, ValueError | asyncpg.ClientConfigurationError):
        return DatabaseMisconfigured(
            "DATABASE_URL is not an address of a database. It should look like "
            "postgresql://user:password@host:5432/name."
        )
    if known := _known(error, database):
        return known
    if isinstance(error, asyncpg.PostgresError) and not isinstance(error, TRANSIENT):
        log.error("statement_refused", error=type(error).__name__, exc_info=error)
        return RagliveError(
            f"{database} refused a statement ({type(error).__name__}). Check with `raglive doctor` "
            "and `raglive verify`; if they find nothing, report it."
        )
    return DatabaseUnavailable(
        f"{database} does not answer ({type(error).__name__}). "
        "Check that it runs and that DATABASE_URL names it."
    )


def _known(error: BaseException, database: str) -> RagliveError | None:
    for kind, explained, sentence in _SENTENCES:
        if isinstance(error, kind):
            return explained(sentence.format(database=database, error=first_line(error)))
    return None


def first_line(error: BaseException) -> str:
    """Return the message of an error of the server, without its detail and its hint."""
    return str(error.args[0]).partition("\n")[0].rstrip(".") if error.args else ""


@contextmanager
def explain_errors(dsn: str) -> Iterator[None]:
    """Turn errors of the driver into a `RagliveError` with one sentence."""
    try:
        yield
    except (TimeoutError, ConnectionError, asyncpg.InterfaceError, asyncpg.PostgresError) as error:
        raise explain(error, dsn) from error


async def connect_with_retry(
    dsn: str, connect: Callable[[], Awaitable[Result]], *, within_seconds: float = 10.0
) -> Result:
    """Connect, waiting for a database that is starting or restarting.

    Raises `DatabaseMisconfigured` at once, and `DatabaseUnavailable` after `within_seconds`.
    """
    try:
        return await _retry(connect, CONNECT_RETRY, within_seconds)
    except _CONNECT_ERRORS as error:
        raise explain(error, dsn) from error


async def retry_transient(
    operation: Callable[[], Awaitable[Result]], *, within_seconds: float = 60.0, what: str
) -> Result:
    """Run an idempotent operation, and repeat it while it fails with a transient error.

    `what` completes the sentence "The database did not answer while ...". Raises
    `DatabaseUnavailable` after `within_seconds`; other errors pass through at once.
    """
    try:
        return await _retry(operation, RETRY, within_seconds, what)
    except TRANSIENT as error:
        known = _known(error, "The database")
        raise DatabaseUnavailable(
            known.message
            if known
            else f"The database did not answer for {within_seconds:.0f} s while {what} "
            f"({type(error).__name__})."
        ) from error


async def _retry(
    operation: Callable[[], Awaitable[Result]],
    backoff: Backoff,
    within_seconds: float,
    what: str | None = None,
) -> Result:
    """Repeat an operation until it succeeds; raise its last error when the time is over."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + within_seconds
    failures = 0
    while True:
        try:
            return await operation()
        except TRANSIENT as error:
            pause = backoff.seconds(failures)
            is_permanent = isinstance(error, ValueError)  # asyncpg's error for a malformed address
            if is_permanent or loop.time() + pause > deadline:
                raise
            if what is not None:
                log.warning("database_retry", what=what, error=type(error).__name__)
            await asyncio.sleep(pause)
            failures += 1
