"""One transaction of the watcher: what a plan says, in registry, tables and log."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from raglive.sources.google_drive.reconcile import Plan, States
from raglive.store.log.event_log import append_events
from raglive.store.pool import Connection
from raglive.store.registry.files import (
    FileChanges,
    GoneReason,
    KnownFile,
    Registry,
)
from raglive.store.registry.google_drive import GoogleDriveTables, RelocatedFiles, Removals
from raglive.store.registry.pipelines import MENTIONED, PipelineRecord, new_event

__all__ = ["WatchState", "Writer", "Written"]

MAX_OUTSIDE = 200  # shortcuts' targets outside the watched folders, asked for together


@dataclass(slots=True)
class Written:
    """What was written, and what is still to be deleted and published."""

    events: list[dict[str, Any]]
    rehoused: int
    leaving: Removals
    met_targets: bool  # shortcuts came or went, or their targets changed drives
    deleted: int = 0


class Writer:
    """Writes plans; however many files leave with a folder, they are never held all at once."""

    def __init__(self, record: PipelineRecord, tables: GoogleDriveTables) -> None:
        self._key = record.key
        self._tables = tables
        self._registry = Registry(record)

    async def write(
        self, connection: Connection, plan: Plan, states: States, state: WatchState
    ) -> Written:
        """Write all but deletions and events, with which `publish` ends the transaction."""
        tables = self._tables
        await tables.put_folders(connection, plan.folders, state.listing, in_full=state.in_full)
        rehoused = await self._repath(connection, plan)
        if plan.relist:
            await tables.relist(connection, plan.relist)
        events = await self._registry.write(
            connection, FileChanges(plan.new, plan.changed, plan.moved)
        )
        await tables.put_shortcuts(connection, plan.shortcuts)
        met_targets = bool(plan.shortcuts or plan.gone_shortcuts or plan.gone_folders)
        if plan.targets:
            met_targets |= await tables.save_target_drives(connection, plan.targets)
        leaving = await self._remove(connection, plan)
        if state.in_full:
            alive = [item for item, found in states.items() if found and not found.trashed]
            await tables.found(connection, alive)
        if plan.lost_roots:
            await tables.set_away(connection, plan.lost_roots)
        if plan.met_strange_folder:
            await tables.uncheck_outside(connection, MAX_OUTSIDE)
        if rehoused.count:
            events.append(_moved(rehoused))
        return Written(events, rehoused.count, leaving, met_targets)

    async def publish(self, connection: Connection, written: Written) -> None:
        """Delete what leaves and append the events, in portions, and count what was deleted."""
        events, leaving = written.events, written.leaving
        if leaving:
            await self._tables.lock_removals(connection, leaving)
            async for portion in self._tables.removed_files(connection, leaving):
                gone: dict[GoneReason, list[KnownFile]] = defaultdict(list)
                for file, reason in portion:
                    gone[reason].append(file)
                await self.delete(connection, gone, events)
                events = []
                written.deleted += len(portion)
        if events:
            await append_events(connection, self._key, events)

    async def delete(
        self,
        connection: Connection,
        gone: Mapping[GoneReason, list[KnownFile]],
        events: Sequence[dict[str, Any]] = (),
    ) -> None:
        """Delete files, and append the events with others."""
        told = list(events)
        for reason, files in gone.items():
            difference = FileChanges(gone=files, gone_reason=reason)
            told += await self._registry.write(connection, difference)
        if told:
            await append_events(connection, self._key, told)

    async def _repath(self, connection: Connection, plan: Plan) -> RelocatedFiles:
        if not plan.repath:
            return RelocatedFiles()
        told = {known.file_id for known, _ in plan.moved}
        return await self._tables.repath(connection, plan.repath, reported=told, limit=MENTIONED)

    async def _remove(self, connection: Connection, plan: Plan) -> Removals:
        """Forget folders and shortcuts; return what leaves with them."""
        tables = self._tables
        leaving = Removals({file.file_key: reason for file, reason in plan.gone})
        reasons: dict[GoneReason, list[str]] = defaultdict(list)
        for folder_id, reason in plan.gone_folders.items():
            reasons[reason].append(folder_id)
        for reason, folders in reasons.items():
            removed = await tables.remove_folders(connection, folders)
            leaving.folders |= dict.fromkeys(removed, reason)
        if leaving.folders or plan.gone_shortcuts or plan.shortcuts:
            leaving.targets = await tables.remove_shortcuts(
                connection, plan.gone_shortcuts, leaving.folders
            )
        if leaving.folders:
            await tables.uncheck_left(connection, leaving.folders)
        return leaving


def _moved(rehoused: RelocatedFiles) -> dict[str, Any]:
    files = [
        {
            "id": one["file_id"],
            "name": one["name"],
            "folder": one["path"],
            "previous_name": one["name"],
            "previous_folder": one["previous_folder"],
        }
        for one in rehoused.first
    ]
    changes = {"files_moved": {"count": rehoused.count, "files": files}}
    return new_event("status:update", changes=changes)


@dataclass(frozen=True, slots=True)
class WatchState:
    """How far the full listing is, and what it holds back."""

    listing: int = 0  # the number of the last full listing
    in_full: bool = False  # it is still under way
    listed_at: float = 0.0  # when the last one ended, in seconds since 1970
    held: int = 0  # files that it would have deleted
    approved: bool = False

    @classmethod
    def kept_in(cls, state: Mapping[str, Any]) -> WatchState:
        """Return what `PipelineRecord.watch_state` holds."""
        return cls(
            int(state.get("listing", 0)),
            bool(state.get("in_full")),
            float(state.get("listed_at", 0.0)),
            int(state.get("held", 0)),
            bool(state.get("deletions_approved")),
        )
