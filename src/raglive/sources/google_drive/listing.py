"""Listing folders breadth-first, and what a full listing has not met."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence

import structlog

from raglive.sources.google_drive.client import DriveClient
from raglive.sources.google_drive.errors import (
    CursorLost,
    DriveNotFound,
    DriveUnavailable,
    ListingIncomplete,
)
from raglive.sources.google_drive.files import DriveFile
from raglive.sources.google_drive.ledger import Ledger, insist
from raglive.store.registry.files import GoneReason, KnownFile

__all__ = ["Listing"]

log = structlog.get_logger()

FOLDERS_AT_ONCE = 30
TARGETS_AT_ONCE = 100
DELETED_AT_ONCE = 1000
BRAKE_FILES = 50
BRAKE_SHARE = 0.2


class Listing:
    """Works off what is still to be listed and asked for; where it ends, it goes on next time."""

    def __init__(self, client: DriveClient, ledger: Ledger) -> None:
        self._client = client
        self._ledger = ledger
        self._at_once = FOLDERS_AT_ONCE

    async def work_off(self) -> None:
        """List every folder that waits for it, and ask for every target of a shortcut."""
        tables = self._ledger.tables
        while batch := await insist(lambda: tables.pending(self._at_once), "reading folders"):
            await self._list([folder for folder, _ in batch], batch[0][1])
        self._at_once = FOLDERS_AT_ONCE
        while targets := await insist(lambda: tables.unchecked(TARGETS_AT_ONCE), "reading targets"):
            states = await self._ledger.ask(targets)
            files = {one: state for one, state in states.items() if not _is_folder(state)}
            await self._ledger.write(files, checked=targets)

    async def end_full(self) -> None:
        """Delete what the full listing has not met, unless that is too much to believe."""
        ledger = self._ledger
        await ledger.uncheck_unmet()
        if ledger.state.approved:
            await self._delete_approved()
        missing, unseen = await self._unseen()
        total = await insist(ledger.tables.file_count, "counting files")
        done = {"in_full": False, "listed_at": time.time(), "held": missing}
        if self._is_too_much(missing, total):
            log.warning("deletions_held", files=missing, of=total)
            await ledger.patch(done)
            return
        gone: dict[GoneReason, list[KnownFile]] = defaultdict(list)
        alive: dict[str, DriveFile | None] = {}
        await self._verify(unseen, gone, alive)
        await ledger.delete(gone)
        await ledger.forget_unseen()
        if alive:
            await ledger.write(alive)
        await ledger.patch(done | {"held": 0, "deletions_approved": False})

    async def _delete_approved(self) -> None:
        while unseen := (await self._unseen())[1]:
            await self._ledger.delete({"removed": unseen})

    async def _unseen(self) -> tuple[int, list[KnownFile]]:
        ledger = self._ledger
        listing = ledger.state.listing
        return await insist(
            lambda: ledger.tables.unseen_files(listing, DELETED_AT_ONCE), "comparing"
        )

    async def _list(self, folders: Sequence[str], drive_id: str) -> None:
        ledger = self._ledger
        if ledger.state.in_full:
            await self._expect(folders)
        token: str | None = None
        while True:
            try:
                page = await self._client.children(folders, drive_id or None, token)
            except DriveNotFound:
                await self._look_at(folders)
                return
            except CursorLost as error:
                raise DriveUnavailable(error.message) from None
            if page.is_incomplete:
                raise ListingIncomplete(
                    "Google Drive did not list everything. Nothing is deleted; it is tried again."
                )
            await ledger.write(
                {file.id: file for file in page.files},
                listed=() if page.next else folders,
                is_listing=True,
            )
            token = page.next
            if token is None:
                return

    async def _expect(self, folders: Sequence[str]) -> None:
        async def commit() -> None:
            async with self._ledger.record.database.transaction() as connection:
                await self._ledger.tables.expect(connection, folders)

        await insist(commit, "comparing")

    async def _look_at(self, folders: Sequence[str]) -> None:
        """One of these folders is not there any more, and Drive does not say which."""
        states = await self._ledger.ask(folders)
        gone = {one: state for one, state in states.items() if state is None or state.trashed}
        if not gone and len(folders) == 1:
            raise DriveUnavailable(f"The Google Drive folder {folders[0]} cannot be listed.")
        if not gone:
            self._at_once = 1
        elif not self._ledger.state.in_full:
            await self._ledger.write(gone)
        else:  # no full listing deletes before it is compared as a whole
            await self._set_unmet(gone)

    async def _set_unmet(self, gone: dict[str, DriveFile | None]) -> None:
        ledger = self._ledger
        roots = {root.folder_id for root in await insist(ledger.tables.roots, "roots")}
        lost = {one: state for one, state in gone.items() if one in roots}
        if lost:
            await ledger.write(lost)

        async def commit() -> None:
            async with ledger.record.database.transaction() as connection:
                folders = gone.keys() - lost.keys()
                await ledger.tables.end_listing(
                    connection, folders, ledger.state.listing, found=False
                )
                await ledger.tables.mark_unseen(connection, folders)

        await insist(commit, "comparing")

    async def _verify(
        self,
        unseen: Sequence[KnownFile],
        gone: dict[GoneReason, list[KnownFile]],
        alive: dict[str, DriveFile | None],
    ) -> None:
        states = await self._ledger.ask([file.file_id for file in unseen])
        for file in unseen:
            state = states[file.file_id]
            if state is None:
                gone["removed"].append(file)
            elif state.trashed:
                gone["trashed"].append(file)
            else:
                alive[file.file_id] = state

    @staticmethod
    def _is_too_much(unseen: int, total: int) -> bool:
        return unseen > BRAKE_FILES or unseen > BRAKE_SHARE * total


def _is_folder(state: DriveFile | None) -> bool:
    return state is not None and (state.is_folder or state.is_shortcut)
