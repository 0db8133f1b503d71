"""Checks of the database: reachable, usable, poolers, schema, origin, space."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import asyncpg

from raglive.app.doctor.checks import Finding, failed, passed, warned
from raglive.store.errors import connect_with_retry, explain_errors, place_of
from raglive.store.migrate import missing_migrations
from raglive.store.pooler import BehindPooler, keeps_sessions, refuse_pooler
from raglive.store.requirements import ServerFacts

__all__ = ["check_database"]

SUBJECT = "database"
ANSWER_SECONDS = 5.0
RETRY_SECONDS = 0.5


async def check_database(dsn: str) -> AsyncIterator[Finding]:
    """Check everything about the database; raises a `RagliveError` if it does not answer."""
    started = time.perf_counter()
    connection = await connect_with_retry(
        dsn,
        lambda: asyncpg.connect(
            dsn, timeout=ANSWER_SECONDS, command_timeout=ANSWER_SECONDS, statement_cache_size=0
        ),
        within_seconds=RETRY_SECONDS,
    )
    try:
        with explain_errors(dsn):
            facts = await ServerFacts.read(connection, dsn)
            latency_ms = (time.perf_counter() - started) * 1000
            yield passed(SUBJECT, f"{facts.place} answers in {latency_ms:.0f} ms.")
            faults = list(facts.faults())
            for fault in faults:
                yield failed(SUBJECT, fault.message)
            if not faults:
                yield passed(
                    SUBJECT,
                    f"Postgres {facts.version}, a primary server; pgvector "
                    f"{facts.pgvector or 'is not created yet'}; the user {facts.role} has the "
                    "rights.",
                )
            yield await _pooler(connection, dsn)
            if facts.is_owner:
                async for finding in _schema(connection, dsn):
                    yield finding
    finally:
        await connection.close(timeout=ANSWER_SECONDS)


async def _pooler(connection: asyncpg.Connection, dsn: str) -> Finding:
    try:
        await refuse_pooler(connection)
    except BehindPooler:
        if await keeps_sessions(dsn):
            return passed(SUBJECT, f"{place_of(dsn)} is a pooler that keeps sessions.")
        return warned(
            SUBJECT,
            f"{place_of(dsn)} is a transaction pooler: events arrive by polling, no search index "
            "is built, and `raglive reindex` is refused. Prefer the direct or session address.",
        )
    return passed(SUBJECT, "No pooler is in between.")


async def _schema(connection: asyncpg.Connection, dsn: str) -> AsyncIterator[Finding]:
    if missing := await missing_migrations(connection):
        yield failed(
            SUBJECT,
            f"The schema lacks {len(missing)} migration(s), from {missing[0].version:04d}. "
            "Run `raglive db migrate`.",
        )
        return
    yield passed(SUBJECT, "The schema is that of this version.")
    moved = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM raglive.origin WHERE identity <> raglive.database_identity())"
    )
    if moved:
        yield warned(
            SUBJECT,
            "It was restored or moved since a process last started. Restart the processes: the "
            "logs then get new epochs.",
        )
    else:
        yield passed(SUBJECT, "The logs were written here, not restored from elsewhere.")
    size = await connection.fetchval("SELECT pg_database_size(current_database())")
    yield passed(SUBJECT, f"It takes {size / 2**20:,.0f} MiB on the disk of {place_of(dsn)}.")
