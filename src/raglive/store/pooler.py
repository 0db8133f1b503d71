"""Detects a pooler between raglive and the database by what it does, not by its port."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from raglive.store.errors import DatabaseMisconfigured, place_of

__all__ = ["BehindPooler", "keeps_sessions", "refuse_pooler"]

ROUNDS = 4
ANSWER_SECONDS = 5.0


class BehindPooler(Exception):
    """Something between raglive and the server manages the connections to the server."""


async def refuse_pooler(connection: asyncpg.Connection) -> None:
    """Raise `BehindPooler` unless the connection leads to the server itself.

    A server states the id of its process when a connection opens. A pooler invents that number,
    because it has not chosen a server process yet. This sends a simple query: a prepared statement
    may fail behind a pooler.
    """
    pid = connection.get_server_pid()
    try:
        await connection.execute(f"SELECT 1 / (pg_backend_pid() = {pid})::integer")
    except asyncpg.DivisionByZeroError:
        raise BehindPooler from None


async def keeps_sessions(dsn: str) -> bool:
    """Return whether a pooler gives each connection a server process of its own.

    Two connections take turns: one is in a transaction while the other runs a query. A pooler that
    assigns processes by transaction gives both the same one, or one of them another than before.
    Raises `DatabaseMisconfigured` for a pooler that assigns them by statement, and the driver's
    errors.
    """
    async with _connection(dsn) as first, _connection(dsn) as second:
        process_of = {first: await _process(first)}
        for turn in range(ROUNDS):
            idle, busy = (first, second) if turn % 2 == 0 else (second, first)
            async with _transaction(busy, dsn):
                for asked in (busy, idle):
                    pid = await _process(asked)
                    has_changed = process_of.setdefault(asked, pid) != pid
                    if has_changed or len(set(process_of.values())) < len(process_of):
                        return False
    return True


@asynccontextmanager
async def _connection(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(
        dsn, timeout=ANSWER_SECONDS, command_timeout=ANSWER_SECONDS, statement_cache_size=0
    )
    try:
        yield connection
    finally:
        await connection.close(timeout=ANSWER_SECONDS)


@asynccontextmanager
async def _transaction(connection: asyncpg.Connection, dsn: str) -> AsyncIterator[None]:
    try:
        transaction = connection.transaction()
        await transaction.start()
    except asyncpg.PostgresError as error:
        raise DatabaseMisconfigured(
            f"The pooler at {place_of(dsn)} permits no transactions ({error}). Set DATABASE_URL to "
            "the direct address of the database, or let the pooler work by session or transaction."
        ) from error
    try:
        yield
    finally:
        await transaction.rollback()


async def _process(connection: asyncpg.Connection) -> int:
    pid: int = await connection.fetchval("SELECT pg_backend_pid()")
    return pid
