"""The watched folders: whether each is available, and which change log reports its changes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from raglive.sources.google_drive.client import DriveClient
from raglive.sources.google_drive.drive_file import DriveFile
from raglive.sources.google_drive.errors import DriveNotFound
from raglive.sources.google_drive.registry_writer import DriveRegistry
from raglive.sources.source import FolderUnavailable
from raglive.store.errors import retry_transient
from raglive.store.pool import Connection
from raglive.store.registry.google_drive import Folder
from raglive_contract.errors import ErrorCode, RagliveError

__all__ = ["WatchedFolders", "folder_id_of", "resource_keys_of"]

_ID = re.compile(
    r"(?:(?:https?://)?drive\.google\.com/.*?(?:folders/|[?&]id=))?([\w-]+)/?(?:[?&#].*)?", re.I
)
_RESOURCE_KEY = re.compile(r"[?&]resourcekey=([\w-]+)", re.I)


def folder_id_of(given: str) -> str:
    """Return the id of a folder that is given by its id or by its address in a browser.

    Raises `settings_invalid` for anything else.
    """
    found = _ID.fullmatch(given.strip())
    if found is None:
        raise RagliveError(
            f"RAG_WATCH_FOLDER_ID: {given.strip()[:200]!r} is neither the id of a Google Drive "
            "folder nor its address, which contains /folders/ and the id.",
            code=ErrorCode.SETTINGS_INVALID,
        )
    return found[1]


def resource_keys_of(given: Sequence[str]) -> dict[str, str]:
    """Return the resource keys in the addresses of folders, by folder id."""
    found = {folder_id_of(one): _RESOURCE_KEY.search(one) for one in given}
    return {folder_id: key[1] for folder_id, key in found.items() if key is not None}


@dataclass(slots=True)
class _Found:
    available: list[Folder] = field(default_factory=list)
    unavailable: dict[str, str] = field(default_factory=dict)  # the reason, by id


class WatchedFolders:
    """The configured folders, and what was found out about them.

    `unavailable` maps the ids of folders that cannot be read to the reason; those in `lost` were
    read before. `logs` are the change logs to read: of the folders, and of the targets of
    shortcuts.
    """

    def __init__(
        self, client: DriveClient, registry: DriveRegistry, folders: Sequence[str]
    ) -> None:
        self.ids = tuple(dict.fromkeys(folder_id_of(one) for one in folders))
        self.unavailable: dict[str, str] = {}
        self.lost: set[str] = set()
        self.logs: set[str] = set()
        self._available_logs: set[str] = set()
        self._all_logs: set[str] = set()  # those of unavailable folders included
        self._resource_keys = resource_keys_of(folders)
        self._client = client.with_resource_keys(self._resource_keys)
        self._registry = registry

    async def check(self) -> None:
        """Request every watched folder, and begin a full listing if the folders have changed.

        Raises `settings_invalid` for an item that is not a folder, and `FolderUnavailable` when no
        folder is available and none was before.
        """
        found = _Found()
        for folder_id in self.ids:
            await self._request(folder_id, found)
        tables = self._registry.tables
        roots = await retry_transient(tables.roots, what="reading the watched folders")
        known = {root.folder_id: root for root in roots}
        has_files = await retry_transient(tables.file_count, what="counting files") > 0
        if not (found.available or known or has_files):
            raise FolderUnavailable(next(iter(found.unavailable.values())))
        self.unavailable = found.unavailable
        self.lost = found.unavailable.keys() & known.keys()
        self.logs = {root.log for root in found.available}
        self._available_logs = self.logs
        unavailable_logs = {known[one].log for one in found.unavailable if one in known}
        self._all_logs = self.logs | unavailable_logs
        self._registry.targets_changed = True  # their logs have to be determined again
        added = [
            root for root in found.available if not _is_watched(known.get(root.folder_id), root)
        ]
        await self._write(found, added)

    async def are_available(self) -> bool:
        """Check whether the folders that were available still are."""
        for folder_id in self.ids:
            if folder_id not in self.unavailable:
                try:
                    file = await self._client.file(folder_id)
                except DriveNotFound:
                    return False
                if file.trashed:
                    return False
        return True

    async def update_target_logs(self) -> None:
        """Determine which logs report the targets of shortcuts, and read those as well.

        If the set of logs changed, every target outside of the watched folders is requested again.
        """
        registry, tables = self._registry, self._registry.tables
        registry.targets_changed = False
        drives = await retry_transient(tables.target_drives, what="reading shortcut targets")
        logs = {await self._log_of(drive) for drive in drives}
        known = await retry_transient(tables.cursors, what="reading cursors")
        needed = self._all_logs | logs
        cursors = {log: await self._client.start_token(log or None) for log in logs - known.keys()}

        async def commit(connection: Connection) -> None:
            for log, cursor in cursors.items():
                await tables.put_cursor(connection, log, cursor)
            await tables.forget_logs(connection, needed)
            if cursors or known.keys() - needed:
                await tables.uncheck_outside(connection, None)

        await registry.in_transaction(commit, "writing the change logs")
        self.logs = self._available_logs | logs

    async def _log_of(self, drive_id: str | None) -> str:
        return drive_id if drive_id and await self._client.is_member(drive_id) else ""

    async def _request(self, folder_id: str, found: _Found) -> None:
        try:
            file = await self._client.file(folder_id)
        except DriveNotFound:
            found.unavailable[folder_id] = (
                f"The Google Drive folder {folder_id} does not exist for this account. Share it "
                "with the account, or correct RAG_WATCH_FOLDER_ID. If it is shared by link, set "
                "the whole address of the link, with its resourcekey."
            )
            return
        if not file.is_folder:
            raise RagliveError(
                f"RAG_WATCH_FOLDER_ID names {file.name} ({folder_id}), which is not a folder.",
                code=ErrorCode.SETTINGS_INVALID,
            )
        if file.trashed:
            found.unavailable[file.id] = (
                f"The Google Drive folder {file.name} ({file.id}) is in the trash. Restore it."
            )
            return
        found.available.append(await self._root(file))

    async def _root(self, file: DriveFile) -> Folder:
        path = file.name if len(self.ids) > 1 else ""
        log = await self._log_of(file.drive_id)
        return Folder(file.id, None, file.name, path, log, is_root=True)

    async def _write(self, found: _Found, added: Sequence[Folder]) -> None:
        registry, tables = self._registry, self._registry.tables
        known = await retry_transient(tables.cursors, what="reading cursors")
        cursors = {
            log: await self._client.start_token(log or None) for log in self.logs - known.keys()
        }
        configured = [root.folder_id for root in found.available] + list(found.unavailable)

        async def commit(connection: Connection) -> bool:
            forgotten = await tables.forget_roots(connection, configured)
            for root in added:
                await tables.put_root(connection, root)
            await tables.put_resource_keys(connection, self._resource_keys)
            await tables.mark_unreadable(connection, found.unavailable)
            if forgotten or found.unavailable:
                await tables.leave_out_of_reach(connection)
            has_changed = bool(added or forgotten or cursors)
            if has_changed:  # in this transaction, as a running listing counted other folders
                await registry.begin_full_listing_in(connection, cursors)
            return has_changed

        if await registry.in_transaction(commit, "writing the watched folders"):
            await registry.load()
        elif await self._must_restart_listing():
            await registry.begin_full_listing()

    async def _must_restart_listing(self) -> bool:
        """Check whether a folder became unavailable during the running full listing."""
        state, tables = self._registry.state, self._registry.tables
        if not state.is_running or state.deletions_approved:
            return False
        return await retry_transient(
            lambda: tables.has_lost_root(state.number), what="reading the watched folders"
        )


def _is_watched(known: Folder | None, root: Folder) -> bool:
    return (
        known is not None
        and known.is_root
        and known.state != "unreadable"
        and (known.log, known.path) == (root.log, root.path)
    )
