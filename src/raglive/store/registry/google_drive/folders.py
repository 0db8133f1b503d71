"""The folders in scope: the watched ones, and all below them."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from raglive.store.pool import Connection
from raglive.store.registry.google_drive.rows import (
    Folder,
    PipelineTable,
    RelocatedFiles,
    affected_rows,
)
from raglive.store.sql import load_queries

__all__ = ["FolderTable"]

_QUERIES = load_queries(__name__)


class FolderTable(PipelineTable):
    """The folders of one pipeline."""

    async def roots(self) -> list[Folder]:
        """Return the watched folders."""
        rows = await self._record.database.fetch(_QUERIES["roots"], self._key)
        return [Folder(**dict(row)) for row in rows]

    async def all_folders(self) -> list[Folder]:
        """Return every folder in scope, except watched folders that cannot be read."""
        rows = await self._record.database.fetch(_QUERIES["all_folders"], self._key)
        return [Folder(**dict(row)) for row in rows]

    async def put_root(self, connection: Connection, root: Folder) -> None:
        """Add a watched folder, or list it again if it is one already."""
        await connection.execute(
            _QUERIES["put_root"], self._key, root.folder_id, root.name, root.path, root.log
        )

    async def forget_roots(self, connection: Connection, kept: Sequence[str]) -> int:
        """Stop watching all folders but these; return how many."""
        return affected_rows(
            await connection.execute(_QUERIES["forget_roots"], self._key, list(kept))
        )

    async def mark_unreadable(self, connection: Connection, roots: Collection[str]) -> None:
        """Mark watched folders as unreadable."""
        await connection.execute(_QUERIES["mark_roots_unreadable"], self._key, list(roots))

    async def has_lost_root(self, listing: int) -> bool:
        """Return whether a watched folder became unreadable since this full listing began."""
        return bool(
            await self._record.database.fetchval(_QUERIES["has_lost_root"], self._key, listing)
        )

    async def leave_out_of_reach(self, connection: Connection) -> None:
        """Skip pending folders that are below no readable watched folder."""
        await connection.execute(_QUERIES["leave_out_of_reach"], self._key)

    async def put_folders(
        self, connection: Connection, folders: Sequence[Folder], listing: int, *, in_full: bool
    ) -> None:
        """Add or update folders; new ones become pending, and `in_full` those not yet found."""
        if folders:
            await connection.execute(
                _QUERIES["put_folders"],
                self._key,
                [folder.folder_id for folder in folders],
                [folder.parent_id for folder in folders],
                [folder.name for folder in folders],
                [folder.path for folder in folders],
                [folder.log for folder in folders],
                listing,
                in_full,
            )

    async def repath(
        self,
        connection: Connection,
        folders: Collection[str],
        *,
        reported: Collection[str],
        limit: int,
    ) -> RelocatedFiles:
        """Update paths and logs below these folders; return the files that moved.

        Files in `reported` are counted, but not returned.
        """
        query = _QUERIES["repath"]
        rows = await connection.fetch(query, self._key, list(folders), list(reported), limit)
        return RelocatedFiles(rows[0]["total"], rows) if rows else RelocatedFiles()

    async def relist(self, connection: Connection, folders: Collection[str]) -> None:
        """Make these folders and all below them pending."""
        await connection.execute(_QUERIES["relist"], self._key, list(folders))

    async def remove_folders(self, connection: Connection, folders: Collection[str]) -> list[str]:
        """Delete folders and all below them; return their ids."""
        rows = await connection.fetch(_QUERIES["remove_folders"], self._key, list(folders))
        return [row["folder_id"] for row in rows]
