"""Listings: the cursors of change logs, folders to list, and full listings."""

from __future__ import annotations

from collections.abc import Collection

from raglive.store.pool import Connection
from raglive.store.registry.google_drive.rows import PipelineTable
from raglive.store.sql import load_queries

__all__ = ["ListingTables"]

_QUERIES = load_queries(__name__)


class ListingTables(PipelineTable):
    """The change logs and listings of one pipeline."""

    async def cursors(self) -> dict[str, str]:
        """Return the cursor of each change log, by log."""
        rows = await self._record.database.fetch(_QUERIES["cursors"], self._key)
        return {row["log"]: row["cursor"] for row in rows}

    async def put_cursor(self, connection: Connection, log: str, cursor: str) -> None:
        """Save the cursor of a change log."""
        await connection.execute(_QUERIES["put_cursor"], self._key, log, cursor)

    async def forget_logs(self, connection: Connection, kept: Collection[str]) -> None:
        """Delete the cursors of all change logs but these."""
        await connection.execute(_QUERIES["forget_logs"], self._key, list(kept))

    async def pending(self, limit: int) -> list[tuple[str, str]]:
        """Return pending folders of one change log, each with its log."""
        rows = await self._record.database.fetch(_QUERIES["pending"], self._key, limit)
        return [(row["folder_id"], row["log"]) for row in rows]

    async def end_listing(
        self, connection: Connection, folders: Collection[str], listing: int, *, found: bool
    ) -> None:
        """Record that folders were listed; `found` if they still exist."""
        await connection.execute(_QUERIES["end_listing"], self._key, list(folders), found, listing)

    async def mark_unseen(self, connection: Connection, folders: Collection[str]) -> None:
        """Record that folders which were found do not exist after all."""
        await connection.execute(_QUERIES["mark_unseen"], self._key, list(folders))

    async def begin_full_listing(
        self, connection: Connection, listing: int, *, keep_unreadable: bool
    ) -> None:
        """Begin a full listing; `keep_unreadable` counts files in unreadable folders as found."""
        await connection.execute(_QUERIES["clear_missing"], self._key)
        if keep_unreadable:
            await connection.execute(_QUERIES["mark_unreadable_seen"], self._key, listing)
        await connection.execute(_QUERIES["begin_full_listing"], self._key)

    async def expect(self, connection: Connection, folders: Collection[str]) -> None:
        """Record everything in these folders as missing until it is found."""
        await connection.execute(_QUERIES["expect"], self._key, list(folders))

    async def found(self, connection: Connection, ids: Collection[str]) -> None:
        """Record that items were found."""
        await connection.execute(_QUERIES["found"], self._key, list(ids))

    async def record_unseen(self, connection: Connection, listing: int) -> None:
        """Record every file as missing that a full listing did not find, and no other file."""
        await connection.execute(_QUERIES["record_unseen"], self._key, listing)

    async def missing_files(self, limit: int) -> tuple[int, list[str]]:
        """Return how many files are missing, and the ids of a sample of them."""
        rows = await self._record.database.fetch(_QUERIES["missing_files"], self._key, limit)
        return (rows[0]["total"] if rows else 0), [row["file_id"] for row in rows]

    async def file_count(self) -> int:
        """Return how many files the pipeline has."""
        return int(await self._record.database.fetchval(_QUERIES["file_count"], self._key))

    async def forget_unseen(self, connection: Connection, listing: int) -> None:
        """Delete the folders and shortcuts that a full listing did not find."""
        await connection.execute(_QUERIES["forget_unseen_folders"], self._key, listing)
        await connection.execute(_QUERIES["forget_unseen_shortcuts"], self._key, listing)
