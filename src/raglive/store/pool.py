"""The pool of connections that a process holds to its database."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any, Self
from urllib.parse import urlsplit

import asyncpg
import orjson
from asyncpg.pool import PoolConnectionProxy
from pgvector.asyncpg import register_vector

from raglive.store.errors import connect_with_retry

__all__ = ["Connection", "Database"]

Connection = PoolConnectionProxy

TRANSACTION_POOLER_PORT = 6543
COMMAND_TIMEOUT_SECONDS = 60.0


class Database:
    """A pool of connections; close it where it was opened."""

    def __init__(self, dsn: str, pool: asyncpg.Pool, queries: _Queries | None = None) -> None:
        self.dsn = dsn
        self._pool = pool
        self._queries = queries or _Queries()

    @classmethod
    async def connect(
        cls,
        dsn: str,
        *,
        name: str,
        max_size: int = 8,
        within_seconds: float = 10,
    ) -> Self:
        """Open the pool, waiting for a database that is starting.

        Raises `DatabaseMisconfigured` or, after `within_seconds`, `DatabaseUnavailable`.
        """
        queries = _Queries()
        pool = await connect_with_retry(
            dsn, lambda: _open_pool(dsn, name, max_size, queries), within_seconds=within_seconds
        )
        return cls(dsn, pool, queries)

    def time_queries(self, observe: Callable[[float], None]) -> None:
        """Have every query's duration told from now on, in seconds."""
        self._queries.observe = observe

    @property
    def listens(self) -> bool:
        """Say whether sessions last, so that LISTEN works; a transaction pooler's do not."""
        return urlsplit(self.dsn).port != TRANSACTION_POOLER_PORT

    async def close(self) -> None:
        """Close every connection, by force after five seconds."""
        try:
            async with asyncio.timeout(5):
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend a connection."""
        async with self._pool.acquire(timeout=10) as connection:
            yield connection

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Lend a connection within a transaction."""
        async with self._pool.acquire(timeout=10) as connection, connection.transaction():
            yield connection

    async def fetch(self, query: str, *args: Any) -> list[asyncpg.Record]:
        """Run a query; return its rows."""
        async with self.connection() as connection:
            return await connection.fetch(query, *args)

    async def fetchrow(self, query: str, *args: Any) -> asyncpg.Record | None:
        """Run a query; return its first row."""
        async with self.connection() as connection:
            return await connection.fetchrow(query, *args)

    async def fetchval(self, query: str, *args: Any) -> Any:
        """Run a query; return the first value of its first row."""
        async with self.connection() as connection:
            return await connection.fetchval(query, *args)

    async def execute(self, query: str, *args: Any) -> str:
        """Run a statement; return its command tag."""
        async with self.connection() as connection:
            return await connection.execute(query, *args)


class _Queries:
    """Hears of every query of a pool."""

    observe: Callable[[float], None] | None = None

    def note(self, query: asyncpg.connection.LoggedQuery) -> None:
        if self.observe is not None:
            self.observe(query.elapsed)


async def _open_pool(dsn: str, name: str, max_size: int, queries: _Queries) -> asyncpg.Pool:
    async def prepare(connection: asyncpg.Connection) -> None:
        await _prepare(connection)
        connection.add_query_logger(queries.note)

    pooled = urlsplit(dsn).port == TRANSACTION_POOLER_PORT
    return await asyncpg.create_pool(
        dsn,
        min_size=1,
        max_size=max_size,
        timeout=5,
        command_timeout=COMMAND_TIMEOUT_SECONDS,
        statement_cache_size=0 if pooled else 100,
        server_settings={"application_name": f"raglive {name}"},
        init=prepare,
        reset=_leave_as_it_is,
    )


async def _leave_as_it_is(_connection: asyncpg.Connection) -> None:
    """Nothing here outlasts its transaction, which asyncpg ends itself: a round trip saved."""


async def _prepare(connection: asyncpg.Connection) -> None:
    await connection.set_type_codec(
        "jsonb",
        schema="pg_catalog",
        encoder=lambda value: b"\x01" + orjson.dumps(value),
        decoder=lambda value: orjson.loads(value[1:]),
        format="binary",
    )
    schema = await connection.fetchval(
        "SELECT nspname FROM pg_extension JOIN pg_namespace ON pg_namespace.oid = extnamespace "
        "WHERE extname = 'vector'"
    )
    if schema is not None:
        await register_vector(connection, schema=schema)
