"""The watched folders themselves: whether they are there, and which change log tells of each."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from raglive.sources.google_drive.client import DriveClient
from raglive.sources.google_drive.errors import DriveNotFound, FolderUnavailable
from raglive.sources.google_drive.files import DriveFile
from raglive.sources.google_drive.ledger import Ledger, insist
from raglive.store.registry.google_drive import Folder
from raglive_contract.errors import RagliveError

__all__ = ["Roots", "folder_id_of"]

_ADDRESS = re.compile(r"https://drive\.google\.com/.*?(?:folders/|[?&]id=)([\w-]+)")


def folder_id_of(given: str) -> str:
    """Return the id of a folder, given as such or by its address in a browser."""
    found = _ADDRESS.match(given.strip())
    return found[1] if found else given.strip()


@dataclass(slots=True)
class _Found:
    there: list[Folder] = field(default_factory=list)
    away: dict[str, str] = field(default_factory=dict)  # why, by id


class Roots:
    """The watched folders, as set and as found."""

    def __init__(self, client: DriveClient, ledger: Ledger, folders: Sequence[str]) -> None:
        self.folders = tuple(dict.fromkeys(folder_id_of(one) for one in folders))
        self.away: dict[str, str] = {}
        self.logs: set[str] = set()
        self._logs_there: set[str] = set()
        self._logs_of_roots: set[str] = set()  # of those that are away too
        self._client = client
        self._ledger = ledger

    async def settle(self) -> None:
        """Look at every watched folder; begin a full listing where that is called for.

        Raises `settings_invalid` for what is no folder, `FolderUnavailable` when none is there and
        there is nothing from before.
        """
        found = _Found()
        for folder_id in self.folders:
            await self._look(folder_id, found)
        known = {root.folder_id: root for root in await insist(self._ledger.tables.roots, "roots")}
        has_files = await insist(self._ledger.tables.file_count, "counting files") > 0
        if not (found.there or known or has_files):
            raise FolderUnavailable(next(iter(found.away.values())))
        self.away = found.away
        self.logs = {root.log for root in found.there}
        self._logs_there = self.logs
        self._logs_of_roots = self.logs | {known[one].log for one in found.away if one in known}
        self._ledger.met_targets = True  # whose logs are forgotten by now, or are others
        fresh = [root for root in found.there if not _is_watched(known.get(root.folder_id), root)]
        await self._write(found, fresh)

    async def _is_disturbed(self) -> bool:
        """Say whether a full listing takes for missing what is in a folder that went away."""
        state, tables = self._ledger.state, self._ledger.tables
        if not state.in_full or state.approved:
            return False
        return await insist(lambda: tables.has_lost_root(state.listing), "reading folders")

    async def are_there(self) -> bool:
        """Say whether the watched folders that were there still are."""
        for folder_id in self.folders:
            if folder_id not in self.away:
                try:
                    file = await self._client.file(folder_id)
                except DriveNotFound:
                    return False
                if file.trashed:
                    return False
        return True

    async def follow_targets(self) -> None:
        """Read the logs that tell of shortcuts' targets too; ask for all when they are others."""
        ledger, tables = self._ledger, self._ledger.tables
        ledger.met_targets = False
        drives = await insist(tables.target_drives, "reading targets")
        logs = {await self._log_of(drive) for drive in drives}
        known = await insist(tables.cursors, "reading cursors")
        kept = self._logs_of_roots | logs
        cursors = {log: await self._client.start_token(log or None) for log in logs - known.keys()}

        async def commit() -> None:
            async with ledger.record.database.transaction() as connection:
                for log, cursor in cursors.items():
                    await tables.put_cursor(connection, log, cursor)
                await tables.forget_logs(connection, kept)
                if cursors or known.keys() - kept:
                    await tables.uncheck_outside(connection, None)

        await insist(commit, "writing the change logs")
        self.logs = self._logs_there | logs

    async def _log_of(self, drive_id: str | None) -> str:
        return drive_id if drive_id and await self._client.is_member(drive_id) else ""

    async def _look(self, folder_id: str, found: _Found) -> None:
        try:
            file = await self._client.file(folder_id)
        except DriveNotFound:
            found.away[folder_id] = (
                f"The Google Drive folder {folder_id} is not there for this account. Share it "
                "with the account, or correct RAG_WATCH_FOLDER_ID."
            )
            return
        if not file.is_folder:
            raise RagliveError(
                f"RAG_WATCH_FOLDER_ID names {file.name} ({folder_id}), which is no folder.",
                code="settings_invalid",
            )
        if file.trashed:
            found.away[file.id] = (
                f"The Google Drive folder {file.name} ({file.id}) is in the trash. Restore it."
            )
            return
        found.there.append(await self._root(file))

    async def _root(self, file: DriveFile) -> Folder:
        path = file.name if len(self.folders) > 1 else ""
        log = await self._log_of(file.drive_id)
        return Folder(file.id, None, file.name, path, log, is_root=True)

    async def _write(self, found: _Found, fresh: Sequence[Folder]) -> None:
        ledger, tables = self._ledger, self._ledger.tables
        known = await insist(tables.cursors, "reading cursors")
        cursors = {
            log: await self._client.start_token(log or None) for log in self.logs - known.keys()
        }
        kept = [root.folder_id for root in found.there] + list(found.away)

        async def commit() -> bool:
            async with ledger.record.database.transaction() as connection:
                forgotten = await tables.forget_roots(connection, kept)
                for root in fresh:
                    await tables.put_root(connection, root)
                await tables.set_away(connection, found.away)
                if forgotten or found.away:
                    await tables.leave_out_of_reach(connection)
                is_other = bool(fresh or forgotten or cursors)
                if is_other:  # in the same step: a listing under way has met what is left out now
                    await ledger.begin_within(connection, cursors)
                return is_other

        if await insist(commit, "writing the watched folders"):
            await ledger.load()
        elif await self._is_disturbed():
            await ledger.begin_full_listing()


def _is_watched(known: Folder | None, root: Folder) -> bool:
    return (
        known is not None
        and known.is_root
        and known.state != "away"
        and (known.log, known.path) == (root.log, root.path)
    )
