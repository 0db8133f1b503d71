"""What operators did, kept in the transaction of the act itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import asyncpg

from raglive.store.log.pipeline_status import read_within
from raglive.store.pool import Connection, Database
from raglive.store.sql import load_queries

__all__ = ["acts_after", "last_act", "note_act"]

_QUERIES = load_queries("access/access")

READ_SECONDS = 5.0


async def note_act(
    connection: Connection,
    actor: str,
    action: str,
    *,
    pipeline_id: str | None = None,
    detail: Mapping[str, Any],
) -> None:
    """Note an act with what is known of it; a None is left out."""
    said = {name: value for name, value in detail.items() if value is not None}
    await connection.execute(_QUERIES["note_act"], actor, action, pipeline_id, said)


async def last_act(database: Database) -> int:
    """Return the key of the last act."""
    key: int = await read_within(READ_SECONDS, database.fetchval(_QUERIES["last_act"]))
    return key


async def acts_after(database: Database, key: int) -> list[asyncpg.Record]:
    """Return at most a hundred acts after a key, in order."""
    return await read_within(READ_SECONDS, database.fetch(_QUERIES["acts_after"], key))
