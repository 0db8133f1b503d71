"""How long drafts, cached vectors and reservations are retained."""

from __future__ import annotations

from raglive.store.pool import Database
from raglive.store.sql import load_queries

__all__ = ["delete_expired"]

_QUERIES = load_queries(__name__)

RETENTION_DAYS = 7
BATCH_ROWS = 10_000  # so that no statement runs for long


async def delete_expired(database: Database) -> None:
    """Delete what no attempt needs any more; idempotent, and safe in several processes at once."""
    query = _QUERIES["delete_expired"]
    while await database.execute(query, RETENTION_DAYS, BATCH_ROWS) != "DELETE 0":
        pass
