"""The tables of a Google Drive pipeline, with the reads and writes that span several of them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping
from typing import Any

import asyncpg

from raglive.store.pool import Connection
from raglive.store.registry.files import GoneReason, KnownFile
from raglive.store.registry.google_drive.folders import FolderTable
from raglive.store.registry.google_drive.listings import ListingTables
from raglive.store.registry.google_drive.rows import Folder, KnownItems, Removals, Shortcut
from raglive.store.registry.google_drive.shortcuts import ShortcutTable
from raglive.store.sql import load_queries

__all__ = ["GoogleDriveTables"]

_QUERIES = load_queries(__name__)

BATCH_FILES = 1000


class GoogleDriveTables(FolderTable, ShortcutTable, ListingTables):
    """All tables of one pipeline."""

    async def known(
        self,
        connection: Connection,
        ids: Collection[str],
        parents: Collection[str],
        listing: int | None = None,
    ) -> KnownItems:
        """Return the known items among `ids`, the folders above them, and those above `parents`.

        If `listing` is given, folders that this full listing did not find count as unknown.
        """
        files = await self._files(connection, "files_by_id", list(ids))
        shortcuts = await connection.fetch(_QUERIES["shortcuts_by_id"], self._key, list(ids))
        targets = await connection.fetch(_QUERIES["targets"], self._key, list(ids))
        homes = {file.source["parent"] for file in files if file.source.get("parent")}
        above = await connection.fetch(
            _QUERIES["folders_above"], self._key, list({*ids, *parents, *homes}), listing
        )
        return KnownItems(
            {file.file_id: file for file in files},
            {row["folder_id"]: Folder(**dict(row)) for row in above},
            {row["shortcut_id"]: Shortcut(**dict(row)) for row in shortcuts},
            {row["target_id"] for row in targets},
        )

    async def lock_removals(self, connection: Connection, removals: Removals) -> None:
        """Lock every file that `removed_files` may return, in one order."""
        await connection.execute(
            _QUERIES["lock_removals"],
            self._key,
            list(removals.files),
            removals.targets,
            list(removals.folders),
        )

    async def removed_files(
        self, connection: Connection, removals: Removals
    ) -> AsyncIterator[list[tuple[KnownFile, GoneReason]]]:
        """Yield the removed files with reasons, in batches, as of the first batch."""
        cursor = await connection.cursor(
            _QUERIES["removed_files"],
            self._key,
            list(removals.files),
            list(removals.files.values()),
            list(removals.folders),
            list(removals.folders.values()),
            removals.targets,
        )
        while rows := await cursor.fetch(BATCH_FILES):
            fields = [dict(row) for row in rows]
            reasons = [one.pop("reason") for one in fields]
            yield [(KnownFile(**one), reason) for one, reason in zip(fields, reasons, strict=True)]

    async def put_resource_keys(self, connection: Connection, keys: Mapping[str, str]) -> None:
        """Add or update the resource keys of items."""
        if keys:
            items, values = list(keys), list(keys.values())
            await connection.execute(_QUERIES["put_resource_keys"], self._key, items, values)

    async def resource_keys(self, ids: Collection[str]) -> dict[str, str]:
        """Return the resource keys of those items that have one."""
        query = _QUERIES["resource_keys"]
        rows = await self._record.database.fetch(query, self._key, list(ids))
        return {row["item_id"]: row["resource_key"] for row in rows}

    async def forget_resource_keys(self, connection: Connection) -> None:
        """Delete the resource keys of items that are no longer known."""
        await connection.execute(_QUERIES["forget_resource_keys"], self._key)

    async def patch_state(self, connection: Connection, patch: dict[str, Any]) -> None:
        """Update some fields of the watcher's state."""
        await connection.execute(_QUERIES["patch_watch_state"], self._key, patch)

    async def requeue(
        self,
        connection: Connection,
        codes: Iterable[str],
        limit: int,
        ids: Collection[str] | None = None,
    ) -> tuple[int, list[asyncpg.Record]]:
        """Requeue files that failed or were skipped with these codes, of `ids` if they are given.

        Returns how many there were, and the first `limit` of them.
        """
        query = _QUERIES["requeue_refused"]
        only = None if ids is None else list(ids)
        rows = await connection.fetch(query, self._key, list(codes), limit, only)
        return (rows[0]["total"] if rows else 0), rows

    async def _files(self, connection: Connection, query: str, *args: Any) -> list[KnownFile]:
        rows = await connection.fetch(_QUERIES[query], self._key, *args)
        return [KnownFile(**dict(row)) for row in rows]
