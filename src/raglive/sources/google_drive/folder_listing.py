"""Lists the folders that wait for it, breadth-first; an interrupted listing continues later."""

from __future__ import annotations

import time
from collections.abc import Sequence

import structlog

from raglive.sources.google_drive.client import DriveClient, ListingPage
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

log = structlog.get_logger()

FOLDERS_PER_REQUEST = 30
TARGETS_PER_BATCH = 100
DISTRUST_SECONDS = 7 * 24 * 3600.0


class FolderListing:
    """Lists pending folders and requests the unchecked targets of shortcuts.

    Google may leave children out of a query that names several parents, without setting
    `incompleteSearch`. A folder without children in such an answer is therefore listed again by
    itself. If it has children after all, the folders of this drive are listed one by one from then
    on, for `DISTRUST_SECONDS`.
    """

    def __init__(self, registry: DriveRegistry) -> None:
        self._registry = registry
        self._must_list_singly = False  # because an answer about several was wrong or refused

    async def run(self) -> None:
        """List every pending folder, and request every unchecked target of a shortcut."""
        while batch := await self._pending():
            await self._list([folder for folder, _ in batch], batch[0][1])
        self._must_list_singly = False
        while targets := await self._unchecked_targets():
            states = await self._registry.fetch_states(targets)
            files = {one: state for one, state in states.items() if not _is_folder(state)}
            await self._registry.write(files, checked=targets)

    async def _pending(self) -> list[tuple[str, str]]:
        tables = self._registry.tables
        limit = 1 if self._must_list_singly else FOLDERS_PER_REQUEST
        batch = await retry_transient(lambda: tables.pending(limit), what="reading folders")
        return batch[:1] if batch and self._is_distrusted(batch[0][1]) else batch

    def _is_distrusted(self, drive_id: str) -> bool:
        since = self._registry.state.distrusted_logs.get(drive_id, 0.0)
        return time.time() - since < DISTRUST_SECONDS

    async def _unchecked_targets(self) -> list[str]:
        tables = self._registry.tables
        return await retry_transient(
            lambda: tables.unchecked(TARGETS_PER_BATCH), what="reading shortcut targets"
        )

    async def _list(self, folders: Sequence[str], drive_id: str) -> None:
        try:
            childless = await self._read(folders, drive_id)
            if len(folders) == 1 or not childless:
                return
            for folder in childless:
                if not await self._read([folder], drive_id):
                    await self._distrust(drive_id)
                    return
        except DriveNotFound:
            await self._find_missing_folder(folders)
        else:
            await self._registry.write({}, listed=folders, is_listing=True)

    async def _distrust(self, drive_id: str) -> None:
        """List the folders of this drive one by one: now, and later if a full listing found it.

        Otherwise, the folder may have been filled between the two answers.
        """
        self._must_list_singly = True
        if self._registry.state.is_running:
            log.warning("several_parents_incomplete", drive=drive_id or None)
            known = self._registry.state.distrusted_logs
            await self._registry.patch_state({"distrusted_logs": {**known, drive_id: time.time()}})

    async def _read(self, folders: Sequence[str], drive_id: str) -> list[str]:
        """Write the content of folders; return those without children, in order of their ids.

        The folders are recorded as listed, unless they are several and some have no children.
        """
        registry, childless = self._registry, set(folders)
        if registry.state.is_running:
            await registry.in_transaction(
                lambda connection: registry.tables.expect(connection, folders),
                "marking the expected files",
            )
        client = await registry.client_for(folders)
        token: str | None = None
        while True:
            page = await _page(client, folders, drive_id, token)
            childless -= {file.parent for file in page.files if file.parent is not None}
            is_complete = page.next is None and (len(folders) == 1 or not childless)
            await registry.write(
                {file.id: file for file in page.files},
                listed=folders if is_complete else (),
                is_listing=True,
            )
            token = page.next
            if token is None:
                return sorted(childless)

    async def _find_missing_folder(self, folders: Sequence[str]) -> None:
        """Find out which of these folders no longer exists, as Drive does not report it."""
        states = await self._registry.fetch_states(folders)
        gone = {one: state for one, state in states.items() if state is None or state.trashed}
        if not gone and len(folders) == 1:
            raise DriveUnavailable(f"The Google Drive folder {folders[0]} cannot be listed.")
        if not gone:
            self._must_list_singly = True
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


async def _page(
    client: DriveClient, folders: Sequence[str], drive_id: str, token: str | None
) -> ListingPage:
    try:
        page = await client.children(folders, drive_id or None, token)
    except CursorLost as error:
        raise DriveUnavailable(error.message) from None
    if page.is_incomplete:
        raise ListingIncomplete(
            "Google Drive returned an incomplete listing. Nothing is deleted, and the listing is "
            "retried."
        )
    return page


def _is_folder(state: DriveFile | None) -> bool:
    return state is not None and (state.is_folder or state.is_shortcut)
