"""What producers have published today, shared by all status servers."""

from __future__ import annotations

from typing import NamedTuple

from raglive.store.pool import Database
from raglive.store.sql import load_queries

__all__ = ["PublishedToday", "add_usage"]

_QUERIES = load_queries(__name__)


class PublishedToday(NamedTuple):
    """Events, bytes and new pipelines of one subject."""

    events: int = 0
    size_bytes: int = 0
    pipelines: int = 0

    def plus(self, more: PublishedToday) -> PublishedToday:
        """Return the sums."""
        return PublishedToday(*(one + other for one, other in zip(self, more, strict=True)))


async def add_usage(database: Database, subject: str, more: PublishedToday) -> PublishedToday:
    """Add to the usage of a subject on this day (UTC); return the sums of all servers."""
    row = await database.fetchrow(_QUERIES["add"], subject, *more)
    assert row is not None, "it returns the row"
    return PublishedToday(*row)
