"""Events published straight into the database, without a status server; needs `asyncpg`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import asyncpg

from raglive_contract.errors import ErrorCode, RagliveError
from raglive_reporter.transport import Batch, unavailable

__all__ = ["SqlTransport"]

CONNECT_SECONDS = 5.0
STATEMENT_SECONDS = 30.0
_PUBLISH = "SELECT FROM raglive.publish_batch($1, $2::text::jsonb, $3)"
_SHOW = "SELECT raglive.show($1, $2::text::jsonb, $3)"

_INVALID = (
    asyncpg.InvalidParameterValueError,
    asyncpg.DataError,
    asyncpg.ProgramLimitExceededError,
)
_NOT_MIGRATED = (asyncpg.InvalidSchemaNameError, asyncpg.UndefinedFunctionError)
_MISCONFIGURED = (
    ValueError,
    asyncpg.ClientConfigurationError,
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
)
_BROKEN = (OSError, TimeoutError, asyncpg.InterfaceError, asyncpg.InternalClientError)
_UNAVAILABLE = (*_BROKEN, asyncpg.PostgresError)


class SqlTransport:
    """Publishes with `raglive.publish_batch` and `raglive.show` as the user in the address `dsn`.

    It holds one connection and works through a transaction pooler too. The user owns raglive's
    schema, or may execute these two functions through wrappers that the owner made.
    """

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._connection: asyncpg.Connection | None = None

    async def open(self) -> None:
        """Forget the connection of an earlier `open`; a forked child must not use its parent's."""
        self._connection = None

    async def close(self) -> None:
        """Close the connection, by force when the server does not answer."""
        connection, self._connection = self._connection, None
        if connection is not None:
            try:
                await connection.close(timeout=2)
            except _UNAVAILABLE:
                connection.terminate()

    async def publish(self, batch: Batch) -> None:
        """Publish durable events in one transaction."""
        await self._call(_PUBLISH, batch)

    async def show(self, batch: Batch) -> None:
        """Send progress to the servers, and store heartbeats in the pipeline's row."""
        await self._call(_SHOW, batch)

    async def _call(self, statement: str, batch: Batch) -> None:
        events = b"[" + b",".join(batch.events) + b"]"
        async with self._connected() as connection, connection.transaction():
            # in a transaction, because a pooler may change the server connection between statements
            await connection.execute(
                statement, batch.pipeline_id, events.decode(), batch.pipeline_type
            )

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[asyncpg.Connection]:
        try:
            if self._connection is None or self._connection.is_closed():
                self._connection = await self._connect()
            yield self._connection
        except (*_INVALID, *_NOT_MIGRATED, *_MISCONFIGURED, *_UNAVAILABLE) as error:
            if isinstance(error, _BROKEN):
                self._terminate()
            raise _explained(error, self._dsn) from error
        except asyncio.CancelledError:
            self._terminate()
            raise

    def _terminate(self) -> None:
        """Drop a connection in an unknown state; the next call makes another one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def _connect(self) -> asyncpg.Connection:
        return await asyncpg.connect(
            self._dsn,
            timeout=CONNECT_SECONDS,
            command_timeout=STATEMENT_SECONDS,
            statement_cache_size=0,  # a transaction pooler keeps no prepared statements
            server_settings={"application_name": "raglive reporter"},
        )


def _explained(error: BaseException, dsn: str) -> RagliveError:
    """Return the error of the contract, with what to do about it and without the password."""
    place = _place(dsn)
    match error:
        case asyncpg.InsufficientPrivilegeError():
            return RagliveError(str(error), code=ErrorCode.FORBIDDEN)
        case asyncpg.ObjectNotInPrerequisiteStateError():
            return RagliveError(str(error), code=ErrorCode.PIPELINE_MANAGED)
        case _ if isinstance(error, _NOT_MIGRATED):
            return unavailable(
                f"The database at {place} lacks raglive's functions ({error}). "
                "Run `raglive db migrate`."
            )
        case _ if isinstance(error, _INVALID):
            return RagliveError(str(error), code=ErrorCode.INVALID_EVENT)
        case _ if isinstance(error, _MISCONFIGURED):
            return RagliveError(
                f"The database at {place} cannot be used ({type(error).__name__}). Correct the "
                "address: postgresql://user:password@host:5432/name.",
                code=ErrorCode.DATABASE_MISCONFIGURED,
            )
        case _:
            return unavailable(
                f"The database at {place} does not accept events ({type(error).__name__})."
            )


def _place(dsn: str) -> str:
    """Return host, port and database of an address, without its user and password."""
    try:
        parts = urlsplit(dsn)
        port = parts.port or 5432
    except ValueError:
        return "an unreadable address"
    return f"{parts.hostname or 'localhost'}:{port}{parts.path or '/'}"
