"""Lists the folders that wait for it, breadth-first; an interrupted listing continues later."""

from __future__ import annotations

from collections.abc import Sequence

from raglive.sources.google_drive.client import DriveClient
from raglive.sources.google_drive.drive_file import DriveFile
from raglive.sources.google_drive.errors import (
    CursorLost,
    DriveNotFound,
    DriveUnavailable,
    ListingIncomplete,
)
from raglive.sources.google_drive.registry_writer import DriveRegistry
from raglive.store.errors import retry_transient
from raglive.store.pool import Connection

__all__ = ["FolderListing"]

FOLDERS_PER_REQUEST = 30
TARGETS_PER_BATCH = 100


class FolderListing:
    """Lists pending folders and requests the unchecked targets of shortcuts."""

    def __init__(self, client: DriveClient, registry: DriveRegistry) -> None:
        self._client = client
        self._registry = registry
        self._folders_per_request = FOLDERS_PER_REQUEST

    async def run(self) -> None:
        """List every pending folder, and request every unchecked target of a shortcut."""
        while batch := await self._pending():
            await self._list([folder for folder, _ in batch], batch[0][1])
        self._folders_per_request = FOLDERS_PER_REQUEST
        while targets := await self._unchecked_targets():
            states = await self._registry.fetch_states(targets)
            files = {one: state for one, state in states.items() if not _is_folder(state)}
            await self._registry.write(files, checked=targets)

    async def _pending(self) -> list[tuple[str, str]]:
        tables, limit = self._registry.tables, self._folders_per_request
        return await retry_transient(lambda: tables.pending(limit), what="reading folders")

    async def _unchecked_targets(self) -> list[str]:
        tables = self._registry.tables
        return await retry_transient(
            lambda: tables.unchecked(TARGETS_PER_BATCH), what="reading shortcut targets"
        )

    async def _list(self, folders: Sequence[str], drive_id: str) -> None:
        registry = self._registry
        if registry.state.is_running:
            await registry.in_transaction(
                lambda connection: registry.tables.expect(connection, folders),
                "marking the expected files",
            )
        token: str | None = None
        while True:
            try:
                page = await self._client.children(folders, drive_id or None, token)
            except DriveNotFound:
                await self._find_missing_folder(folders)
                return
            except CursorLost as error:
                raise DriveUnavailable(error.message) from None
            if page.is_incomplete:
                raise ListingIncomplete(
                    "Google Drive returned an incomplete listing. Nothing is deleted, and the "
                    "listing is retried."
                )
            await registry.write(
                {file.id: file for file in page.files},
                listed=() if page.next else folders,
                is_listing=True,
            )
            token = page.next
            if token is None:
                return

    async def _find_missing_folder(self, folders: Sequence[str]) -> None:
        """Find out which of these folders no longer exists, as Drive does not report it."""
        states = await self._registry.fetch_states(folders)
        gone = {one: state for one, state in states.items() if state is None or state.trashed}
        if not gone and len(folders) == 1:
            raise DriveUnavailable(f"The Google Drive folder {folders[0]} cannot be listed.")
        if not gone:
            self._folders_per_request = 1
        elif not self._registry.state.is_running:
            await self._registry.write(gone)
        else:  # a full listing deletes nothing before its end
            await self._mark_unseen(gone)

    async def _mark_unseen(self, gone: dict[str, DriveFile | None]) -> None:
        registry = self._registry
        watched = await retry_transient(registry.tables.roots, what="reading the watched folders")
        roots = {root.folder_id for root in watched}
        lost = {one: state for one, state in gone.items() if one in roots}
        if lost:
            await registry.write(lost)

        async def commit(connection: Connection) -> None:
            folders = gone.keys() - lost.keys()
            await registry.tables.end_listing(
                connection, folders, registry.state.number, found=False
            )
            await registry.tables.mark_unseen(connection, folders)

        await registry.in_transaction(commit, "marking missing folders")


def _is_folder(state: DriveFile | None) -> bool:
    return state is not None and (state.is_folder or state.is_shortcut)
