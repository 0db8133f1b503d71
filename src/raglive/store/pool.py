"""The connection pool of a process, and how its connections are set up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Self

import asyncpg
import orjson
from asyncpg.pool import PoolConnectionProxy
from pgvector.asyncpg import register_vector

from raglive.store.errors import connect_with_retry
from raglive.store.origin import recognize_failover
from raglive.store.pooler import BehindPooler, keeps_sessions, refuse_pooler

__all__ = ["Connection", "Database", "PoolUse"]

Connection = PoolConnectionProxy

COMMAND_TIMEOUT_SECONDS = 60.0
IDLE_TRANSACTION_SECONDS = 30  # less than the time after which a process counts as dead


@dataclass(frozen=True, slots=True)
class PoolUse:
    """Numbers of connections, and of tasks that wait for one."""

    in_use: int
    idle: int
    most: int
    waiting: int


class Database:
    """A pool of connections to one database.

    Every method raises `TimeoutError` if no connection is free within ten seconds, and the errors
    of the database (`raglive.store.errors.DATABASE_ERRORS`).
    """

    def __init__(
        self,
        dsn: str,
        pool: asyncpg.Pool,
        timer: _QueryTimer | None = None,
        *,
        listens: bool = True,
    ) -> None:
        self.dsn = dsn
        self.listens = listens
        """Whether a connection is a session, so that LISTEN and its locks work. Behind a
        transaction pooler it is not."""
        self._pool = pool
        self._timer = timer or _QueryTimer()
        self._waiting = 0

    @classmethod
    async def connect(
        cls,
        dsn: str,
        *,
        name: str,
        max_size: int = 8,
        within_seconds: float = 10,
    ) -> Self:
        """Open the pool, waiting up to `within_seconds` for a database that is starting.

        `name` is shown as the application's name. Raises `DatabaseMisconfigured` at once, and
        `DatabaseUnavailable` when the time is over.
        """
        timer = _QueryTimer()
        pool, listens = await connect_with_retry(
            dsn,
            lambda: _open_fitting_pool(dsn, name, max_size, timer),
            within_seconds=within_seconds,
        )
        return cls(dsn, pool, timer, listens=listens)

    def time_queries(self, observe: Callable[[float], None]) -> None:
        """Call `observe` with the duration of every query from now on, in seconds."""
        self._timer.observe = observe

    @property
    def pool_use(self) -> PoolUse:
        """How much of the pool is in use now."""
        size, idle = self._pool.get_size(), self._pool.get_idle_size()
        return PoolUse(size - idle, idle, self._pool.get_max_size(), self._waiting)

    async def close(self) -> None:
        """Close every connection; after five seconds, terminate those still in use."""
        try:
            async with asyncio.timeout(5):
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Acquire a connection for the block."""
        self._waiting += 1
        try:
            connection = await self._pool.acquire(timeout=10)
        finally:
            self._waiting -= 1
        try:
            yield connection
        finally:
            await self._pool.release(connection)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Acquire a connection, and run the block in a transaction."""
        async with self.connection() as connection, connection.transaction():
            yield connection

    async def fetch(self, query: str, *args: Any) -> list[asyncpg.Record]:
        """Return the rows of a query."""
        async with self.connection() as connection:
            return await connection.fetch(query, *args)

    async def fetchrow(self, query: str, *args: Any) -> asyncpg.Record | None:
        """Return the first row of a query; None if it has none."""
        async with self.connection() as connection:
            return await connection.fetchrow(query, *args)

    async def fetchval(self, query: str, *args: Any) -> Any:
        """Return the first value of the first row of a query; None if it has no rows."""
        async with self.connection() as connection:
            return await connection.fetchval(query, *args)

    async def execute(self, query: str, *args: Any) -> str:
        """Execute a statement; return its command tag, such as `UPDATE 3`."""
        async with self.connection() as connection:
            return await connection.execute(query, *args)

    async def execute_in_batches(self, query: str, *args: Any) -> None:
        """Execute a statement that changes a limited number of rows, until it changes none."""
        while not (await self.execute(query, *args)).endswith(" 0"):
            pass


class _QueryTimer:
    """Reports the duration of every query of a pool."""

    observe: Callable[[float], None] | None = None

    def log(self, query: asyncpg.connection.LoggedQuery) -> None:
        if self.observe is not None:
            self.observe(query.elapsed)


async def _open_fitting_pool(
    dsn: str, name: str, max_size: int, timer: _QueryTimer
) -> tuple[asyncpg.Pool, bool]:
    """Open a pool, and return whether its connections are sessions."""
    try:
        return await _open_pool(dsn, name, max_size, timer, refuse_pooler), True
    except BehindPooler:
        is_session = await keeps_sessions(dsn)
    pool = await _open_pool(dsn, name, max_size, timer, keeps_statements=is_session)
    return pool, is_session


async def _open_pool(
    dsn: str,
    name: str,
    max_size: int,
    timer: _QueryTimer,
    check: Callable[[asyncpg.Connection], Awaitable[None]] | None = None,
    *,
    keeps_statements: bool = True,
) -> asyncpg.Pool:
    async def prepare(connection: asyncpg.Connection) -> None:
        if check is not None:
            await check(connection)
        await recognize_failover(connection)
        await _prepare(connection, is_session=keeps_statements)
        connection.add_query_logger(timer.log)

    return await asyncpg.create_pool(
        dsn,
        min_size=1,
        max_size=max_size,
        timeout=5,
        command_timeout=COMMAND_TIMEOUT_SECONDS,
        statement_cache_size=100 if keeps_statements else 0,
        server_settings={"application_name": f"raglive {name}"},
        init=prepare,
        reset=_no_reset,
    )


async def _no_reset(_connection: asyncpg.Connection) -> None:
    """Save the round trip of a reset: every transaction of the pool has the same settings."""


async def _prepare(connection: asyncpg.Connection, *, is_session: bool) -> None:
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=lambda value: b"\x01" + orjson.dumps(value),
        decoder=lambda value: orjson.loads(value[1:]),
        format="binary",
    )
    # A process that hangs in a transaction would block others for ever.
    schema = await connection.fetchval(
        "SELECT (SELECT nspname FROM pg_extension JOIN pg_namespace "
        "ON pg_namespace.oid = extnamespace WHERE extname = 'vector') "
        "FROM set_config('idle_in_transaction_session_timeout', $1, $2)",
        f"{IDLE_TRANSACTION_SECONDS}s",
        not is_session,
    )
    if schema is not None:
        await register_vector(connection, schema=schema)
