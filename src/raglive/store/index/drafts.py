"""Drafts: the text extracted from a file, saved so that a retry need not extract it again."""

from __future__ import annotations

from collections.abc import Sequence

from raglive.store.pool import Connection, Database
from raglive.store.sql import load_queries

__all__ = ["Drafts", "delete_drafts"]

_QUERIES = load_queries(__name__)

MAX_BYTES = 2**30  # of all drafts together


class Drafts:
    """The drafts of files that one worker process holds under a lease."""

    def __init__(self, database: Database, owner: str) -> None:
        self._database = database
        self._owner = owner

    async def load(self, file_key: int, generation: int) -> bytes | None:
        """Return the draft of one version of a file, packed as it was saved."""
        query = _QUERIES["draft"]
        content: bytes | None = await self._database.fetchval(query, file_key, generation)
        return content

    async def save(self, file_key: int, generation: int, content: bytes) -> None:
        """Save the draft of a version; does nothing without the lease, or without room."""
        args = (file_key, generation, content, self._owner, MAX_BYTES)
        await self._database.execute(_QUERIES["save"], *args)


async def delete_drafts(connection: Connection, file_keys: Sequence[int]) -> None:
    """Delete the drafts of files."""
    await connection.execute(_QUERIES["delete"], file_keys)
