"""The tables of a Google Drive pipeline: folders in scope, shortcuts, cursors, full listings."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import asyncpg

from raglive.store.pool import Connection
from raglive.store.registry.files import GoneReason, KnownFile
from raglive.store.registry.pipelines import PipelineRecord
from raglive.store.sql import load_queries

__all__ = ["Folder", "GoogleDriveTables", "Known", "Leaving", "Rehoused", "Shortcut"]

_QUERIES = load_queries("registry/google_drive")

PORTION = 1000  # files read at once


@dataclass(frozen=True, slots=True)
class Folder:
    """A folder in scope; `log` is the shared drive whose change log tells of it, or empty."""

    folder_id: str
    parent_id: str | None
    name: str
    path: str
    log: str = ""
    is_root: bool = False
    state: str = "pending"


@dataclass(frozen=True, slots=True)
class Shortcut:
    """A shortcut in a folder in scope."""

    shortcut_id: str
    parent_id: str
    target_id: str
    log: str = ""  # as its folder's


@dataclass(frozen=True, slots=True)
class Known:
    """What the database has of some items: themselves, and every folder above them, old or new."""

    files: Mapping[str, KnownFile]
    folders: Mapping[str, Folder]
    shortcuts: Mapping[str, Shortcut]
    targets: Collection[str]


@dataclass(frozen=True, slots=True)
class Rehoused:
    """How many files have a folder that is called otherwise now, and the first of them."""

    count: int = 0
    first: Sequence[asyncpg.Record] = ()  # file_id, name, path, previous_folder


@dataclass(slots=True)
class Leaving:
    """What leaves the index: files, and what is in folders or was reached by shortcuts."""

    files: dict[int, GoneReason] = field(default_factory=dict)  # by key
    folders: dict[str, GoneReason] = field(default_factory=dict)  # by id
    targets: list[str] = field(default_factory=list)  # of shortcuts that are gone

    def __bool__(self) -> bool:
        return bool(self.files or self.folders or self.targets)


class GoogleDriveTables:
    """Reads and writes within a transaction of the caller."""

    def __init__(self, record: PipelineRecord) -> None:
        self._record = record
        self._key = record.key

    async def known(
        self, connection: Connection, ids: Collection[str], parents: Collection[str]
    ) -> Known:
        """Return what is known of these items, and of the folders above them and `parents`."""
        files = await self._files(connection, "files_by_id", list(ids))
        shortcuts = await connection.fetch(_QUERIES["shortcuts_by_id"], self._key, list(ids))
        targets = await connection.fetch(_QUERIES["targets"], self._key, list(ids))
        homes = {file.source["parent"] for file in files if file.source.get("parent")}
        above = await connection.fetch(
            _QUERIES["folders_above"], self._key, list({*ids, *parents, *homes})
        )
        return Known(
            {file.file_id: file for file in files},
            {row["folder_id"]: Folder(**dict(row)) for row in above},
            {row["shortcut_id"]: Shortcut(**dict(row)) for row in shortcuts},
            {row["target_id"] for row in targets},
        )

    # Folders

    async def roots(self) -> list[Folder]:
        """Return the watched folders."""
        rows = await self._record.database.fetch(_QUERIES["roots"], self._key)
        return [Folder(**dict(row)) for row in rows]

    async def put_root(self, connection: Connection, root: Folder) -> None:
        """Watch a folder, or again."""
        await connection.execute(
            _QUERIES["put_root"], self._key, root.folder_id, root.name, root.path, root.log
        )

    async def forget_roots(self, connection: Connection, kept: Sequence[str]) -> int:
        """Watch no other folders than these; what was below others is no longer met."""
        return _count(await connection.execute(_QUERIES["forget_roots"], self._key, list(kept)))

    async def set_away(self, connection: Connection, roots: Collection[str]) -> None:
        """Note that watched folders cannot be read."""
        await connection.execute(_QUERIES["set_roots_away"], self._key, list(roots))

    async def has_lost_root(self, listing: int) -> bool:
        """Say whether a watched folder has gone away since this full listing began."""
        return bool(
            await self._record.database.fetchval(_QUERIES["has_lost_root"], self._key, listing)
        )

    async def leave_out_of_reach(self, connection: Connection) -> None:
        """List nothing that is below no watched folder, or below one that cannot be read."""
        await connection.execute(_QUERIES["leave_out_of_reach"], self._key)

    async def put_folders(
        self, connection: Connection, folders: Sequence[Folder], listing: int, *, in_full: bool
    ) -> None:
        """Take up folders; new ones, and in a full listing unmet ones, are to be listed."""
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
        self, connection: Connection, folders: Collection[str], *, told: Collection[str], limit: int
    ) -> Rehoused:
        """Give what is below these folders their new paths and logs; return what is not `told`."""
        query = _QUERIES["repath"]
        rows = await connection.fetch(query, self._key, list(folders), list(told), limit)
        return Rehoused(rows[0]["total"], rows) if rows else Rehoused()

    async def relist(self, connection: Connection, folders: Collection[str]) -> None:
        """Have these folders listed again, and all below them."""
        await connection.execute(_QUERIES["relist"], self._key, list(folders))

    async def remove_folders(self, connection: Connection, folders: Collection[str]) -> list[str]:
        """Forget folders with all below them; return which those were."""
        rows = await connection.fetch(_QUERIES["remove_folders"], self._key, list(folders))
        return [row["folder_id"] for row in rows]

    async def lock_leaving(self, connection: Connection, leaving: Leaving) -> None:
        """Lock all that may leave, in one order."""
        await connection.execute(
            _QUERIES["lock_leaving"],
            self._key,
            list(leaving.files),
            leaving.targets,
            list(leaving.folders),
        )

    async def leaving(
        self, connection: Connection, leaving: Leaving
    ) -> AsyncIterator[list[tuple[KnownFile, GoneReason]]]:
        """Yield the files that leave, and why, in portions; as it is when this begins."""
        cursor = await connection.cursor(
            _QUERIES["leaving"],
            self._key,
            list(leaving.files),
            list(leaving.files.values()),
            list(leaving.folders),
            list(leaving.folders.values()),
            leaving.targets,
        )
        while rows := await cursor.fetch(PORTION):
            fields = [dict(row) for row in rows]
            reasons = [one.pop("reason") for one in fields]
            yield [(KnownFile(**one), reason) for one, reason in zip(fields, reasons, strict=True)]

    # Shortcuts

    async def put_shortcuts(self, connection: Connection, shortcuts: Sequence[Shortcut]) -> None:
        """Take up shortcuts; their targets are to be asked for."""
        if shortcuts:
            await connection.execute(
                _QUERIES["put_shortcuts"],
                self._key,
                [shortcut.shortcut_id for shortcut in shortcuts],
                [shortcut.parent_id for shortcut in shortcuts],
                [shortcut.target_id for shortcut in shortcuts],
            )

    async def remove_shortcuts(
        self, connection: Connection, shortcuts: Collection[str], folders: Collection[str]
    ) -> list[str]:
        """Forget shortcuts, and those in these folders; return their targets."""
        rows = await connection.fetch(
            _QUERIES["remove_shortcuts"], self._key, list(shortcuts), list(folders)
        )
        return [row["target_id"] for row in rows]

    async def uncheck_left(self, connection: Connection, folders: Collection[str]) -> None:
        """Have targets asked for again that are in folders out of scope."""
        await connection.execute(_QUERIES["uncheck_left"], self._key, list(folders))

    async def uncheck_unmet(self, connection: Connection, listing: int) -> None:
        """Have targets asked for again that a full listing has not met."""
        await connection.execute(_QUERIES["uncheck_unmet"], self._key, listing)

    async def uncheck_outside(self, connection: Connection, limit: int | None) -> None:
        """Have targets outside the watched folders asked for again."""
        await connection.execute(_QUERIES["uncheck_outside"], self._key, limit)

    async def note_drives(self, connection: Connection, drives: Mapping[str, str]) -> bool:
        """Note which shared drive each target is in, if any; say whether that is news."""
        targets, names = list(drives), list(drives.values())
        status = await connection.execute(_QUERIES["note_drives"], self._key, targets, names)
        return _count(status) > 0

    async def target_drives(self) -> list[str]:
        """Return the shared drives, empty for none, that targets are in."""
        rows = await self._record.database.fetch(_QUERIES["target_drives"], self._key)
        return [row["drive"] for row in rows]

    async def unchecked(self, limit: int) -> list[str]:
        """Return targets to be asked for."""
        rows = await self._record.database.fetch(_QUERIES["unchecked"], self._key, limit)
        return [row["target_id"] for row in rows]

    async def checked(self, connection: Connection, targets: Collection[str]) -> None:
        """Note that these targets were asked for."""
        await connection.execute(_QUERIES["checked"], self._key, list(targets))

    # Change logs

    async def cursors(self) -> dict[str, str]:
        """Return the place in each change log."""
        rows = await self._record.database.fetch(_QUERIES["cursors"], self._key)
        return {row["log"]: row["cursor"] for row in rows}

    async def put_cursor(self, connection: Connection, log: str, cursor: str) -> None:
        """Note the place in a change log."""
        await connection.execute(_QUERIES["put_cursor"], self._key, log, cursor)

    async def forget_logs(self, connection: Connection, kept: Collection[str]) -> None:
        """Read no other change logs than these."""
        await connection.execute(_QUERIES["forget_logs"], self._key, list(kept))

    # Listings

    async def pending(self, limit: int) -> list[tuple[str, str]]:
        """Return folders to be listed, of one log, each with its log."""
        rows = await self._record.database.fetch(_QUERIES["pending"], self._key, limit)
        return [(row["folder_id"], row["log"]) for row in rows]

    async def end_listing(
        self, connection: Connection, folders: Collection[str], listing: int, *, met: bool
    ) -> None:
        """Note that folders were listed; `met` when they were there."""
        await connection.execute(_QUERIES["end_listing"], self._key, list(folders), met, listing)

    async def unmeet(self, connection: Connection, folders: Collection[str]) -> None:
        """Note that these folders were not there after all."""
        await connection.execute(_QUERIES["unmeet"], self._key, list(folders))

    async def begin_full_listing(
        self, connection: Connection, listing: int, *, keep_away: bool
    ) -> None:
        """Have everything listed anew; what is below folders that are away counts as met."""
        await connection.execute(_QUERIES["clear_missing"], self._key)
        if keep_away:
            await connection.execute(_QUERIES["keep_away"], self._key, listing)
        await connection.execute(_QUERIES["begin_full_listing"], self._key)

    async def expect(self, connection: Connection, folders: Collection[str]) -> None:
        """Expect to find all that is known to be in these folders."""
        await connection.execute(_QUERIES["expect"], self._key, list(folders))

    async def found(self, connection: Connection, ids: Collection[str]) -> None:
        """Note what was found."""
        await connection.execute(_QUERIES["found"], self._key, list(ids))

    async def unseen_files(self, listing: int, limit: int) -> tuple[int, list[KnownFile]]:
        """Return how many files a full listing has not met, and the first of them."""
        found = await self._record.database.fetch(
            _QUERIES["unseen_files"], self._key, listing, limit
        )
        rows = [dict(row) for row in found]
        totals = [row.pop("total") for row in rows]
        return (totals[0] if totals else 0), [KnownFile(**row) for row in rows]

    async def file_count(self) -> int:
        """Return how many files the pipeline has."""
        return int(await self._record.database.fetchval(_QUERIES["file_count"], self._key))

    async def forget_unseen(self, connection: Connection, listing: int) -> None:
        """Forget the folders and shortcuts that a full listing has not met."""
        await connection.execute(_QUERIES["forget_unseen_folders"], self._key, listing)
        await connection.execute(_QUERIES["forget_unseen_shortcuts"], self._key, listing)

    # The pipeline

    async def patch_state(self, connection: Connection, patch: dict[str, Any]) -> None:
        """Change some of what the watcher keeps."""
        await connection.execute(_QUERIES["patch_watch_state"], self._key, patch)

    async def requeue(
        self, connection: Connection, error_codes: Iterable[str], limit: int
    ) -> tuple[int, list[asyncpg.Record]]:
        """Queue files again that failed for these reasons; return how many, and the first."""
        query = _QUERIES["requeue_refused"]
        rows = await connection.fetch(query, self._key, list(error_codes), limit)
        return (rows[0]["total"] if rows else 0), rows

    async def _files(self, connection: Connection, query: str, *args: Any) -> list[KnownFile]:
        rows = await connection.fetch(_QUERIES[query], self._key, *args)
        return [KnownFile(**dict(row)) for row in rows]


def _count(command_tag: str) -> int:
    return int(command_tag.rpartition(" ")[2])
