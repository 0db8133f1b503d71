"""How long the database retains what nobody needs for ever: events, audit entries, drafts, caches.

Each pass deletes in short transactions, so that no lock lasts and no statement runs for long. It is
idempotent, and safe in several processes at once. Every pipeline process and status server makes
it, because a pipeline of another producer has no process of its own.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import structlog

from raglive.store.errors import STORE_ERRORS
from raglive.store.pool import Database
from raglive.store.sql import load_queries

__all__ = ["Retention", "delete_expired", "delete_expired_regularly"]

log = structlog.get_logger()

_QUERIES = load_queries(__name__)

DAY = 86_400.0  # seconds
PASS_SECONDS = 3600.0
CACHE_DAYS = 7  # of drafts and cached vectors
BATCH_ROWS = 10_000
BATCH_EVENTS = 1_000  # with their attempts and files


@dataclass(frozen=True, slots=True)
class Retention:
    """How many days events and audit entries are retained."""

    events_days: float
    audit_days: float


async def delete_expired(database: Database, retention: Retention) -> int:
    """Delete what has expired, and return how many events that were.

    Raises the database's errors.
    """
    delete = database.execute_in_batches
    await delete(_QUERIES["delete_drafts"], CACHE_DAYS * DAY, BATCH_ROWS)
    await database.execute(_QUERIES["delete_producer_usage"])
    await delete(_QUERIES["delete_reservations"], BATCH_ROWS)
    await delete(_QUERIES["delete_vectors"], CACHE_DAYS * DAY, BATCH_ROWS)
    await delete(_QUERIES["delete_audit_entries"], retention.audit_days * DAY, BATCH_ROWS)
    removed = 0
    for row in await database.fetch(_QUERIES["pipelines"]):
        key, seconds = row["pipeline_key"], retention.events_days * DAY
        await database.execute_in_batches(_QUERIES["merge_usage"], key, seconds, BATCH_ROWS)
        while batch := await database.fetchval(
            _QUERIES["remove_events"], key, seconds, BATCH_EVENTS
        ):
            removed += batch
    return removed


async def delete_expired_regularly(database: Database, retention: Retention) -> None:
    """Delete what has expired now and every hour, until cancelled.

    An outage of the database only delays it.
    """
    while True:
        try:
            if removed := await delete_expired(database, retention):
                log.info("events_expired", events=removed)
        except STORE_ERRORS as error:
            log.warning("retention_failed", error=type(error).__name__)
        await asyncio.sleep(PASS_SECONDS)
