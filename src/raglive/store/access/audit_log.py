"""The audit log: what operators did, written in the transaction that does it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import asyncpg

from raglive.store.log.pipeline_status import read_within
from raglive.store.pool import Connection, Database
from raglive.store.sql import load_queries

__all__ = ["append_entry", "entries_after", "last_entry"]

_QUERIES = load_queries(__name__)

READ_SECONDS = 5.0


async def append_entry(
    connection: Connection,
    actor: str,
    action: str,
    *,
    pipeline_id: str | None = None,
    detail: Mapping[str, Any],
) -> None:
    """Record an action; values of `detail` that are None are left out."""
    known = {name: value for name, value in detail.items() if value is not None}
    await connection.execute(_QUERIES["append"], actor, action, pipeline_id, known)


async def last_entry(database: Database) -> int:
    """Return the key of the newest entry, 0 if there is none; raise `DatabaseUnavailable`."""
    key: int = await read_within(READ_SECONDS, database.fetchval(_QUERIES["last_entry"]))
    return key


async def entries_after(database: Database, key: int) -> list[asyncpg.Record]:
    """Return at most 100 entries after a key, in order; raise `DatabaseUnavailable`.

    Columns: `act_key, acted_at, actor, action, pipeline_id, detail`.
    """
    return await read_within(READ_SECONDS, database.fetch(_QUERIES["entries_after"], key))
