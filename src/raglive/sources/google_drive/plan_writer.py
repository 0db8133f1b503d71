"""Writes a plan to registry, Drive tables and event log, within one transaction."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from raglive.sources.google_drive.reconcile import Plan, States
from raglive.store.log.event_log import append_events
from raglive.store.log.new_events import status_update
from raglive.store.pool import Connection
from raglive.store.registry.files import (
    FileChanges,
    GoneReason,
    KnownFile,
    Registry,
)
from raglive.store.registry.google_drive import GoogleDriveTables, RelocatedFiles, Removals
from raglive.store.registry.pipelines import MENTIONED, PipelineRecord
from raglive_contract.wire import NewEvent, NewStatusUpdate

__all__ = ["FullListingState", "MissingFiles", "PlanWriter", "WriteResult"]

MAX_TARGETS_RECHECKED = 200  # shortcut targets outside of the watched folders, at a time


@dataclass(frozen=True, slots=True)
class MissingFiles:
    """Files that a full listing did not find, and did not delete.

    Of those, `checked` were requested from Drive, of which `present` are in the watched folders.
    """

    files: int
    checked: int
    present: int


@dataclass(frozen=True, slots=True)
class FullListingState:
    """The watcher's saved state: the last full listing, and the deletions that it holds back.

    `number` identifies the listing, `is_running` until it has ended at `ended_at` (seconds since
    1970). `distrusted_logs` maps the drives whose
    listings of several folders were incomplete to the time at which that was found.
    """

    number: int = 0
    is_running: bool = False
    ended_at: float = 0.0
    held: MissingFiles | None = None
    deletions_approved: bool = False
    distrusted_logs: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> FullListingState:
        """Read the value of `PipelineRecord.watch_state`."""
        return cls(
            int(state.get("listing", 0)),
            bool(state.get("in_full")),
            float(state.get("listed_at", 0.0)),
            MissingFiles(**held) if (held := state.get("held")) else None,
            bool(state.get("deletions_approved")),
            dict(state.get("distrusted_logs", {})),
        )


@dataclass(slots=True)
class WriteResult:
    """What a transaction wrote, and what `publish` has to delete and publish at its end.

    `targets_changed` is set when shortcuts were added or removed, or their targets changed drives.
    """

    events: list[NewEvent]
    moved_with_folder: int
    leaving: Removals
    targets_changed: bool
    deleted: int = 0


class PlanWriter:
    """Writes plans. Files that are deleted with a folder are read in portions to limit memory."""

    def __init__(self, record: PipelineRecord, tables: GoogleDriveTables) -> None:
        self._key = record.key
        self._tables = tables
        self._registry = Registry(record)

    async def write(
        self, connection: Connection, plan: Plan, states: States, state: FullListingState
    ) -> WriteResult:
        """Write everything except deletions and events, which `publish` writes last."""
        tables = self._tables
        is_full = state.is_running
        await tables.put_folders(connection, plan.folders, state.number, in_full=is_full)
        moved = await self._move_content(connection, plan)
        if plan.relist:
            await tables.relist(connection, plan.relist)
        events = await self._registry.write(
            connection, FileChanges(plan.new, plan.changed, plan.moved)
        )
        await tables.put_shortcuts(connection, plan.shortcuts)
        targets_changed = bool(plan.shortcuts or plan.gone_shortcuts or plan.gone_folders)
        if plan.targets:
            targets_changed |= await tables.save_target_drives(connection, plan.targets)
        leaving = await self._remove(connection, plan)
        await tables.put_resource_keys(connection, _resource_keys(states))
        if is_full:
            alive = [item for item, found in states.items() if found and not found.trashed]
            await tables.found(connection, alive)
        if plan.lost_roots:
            await tables.mark_unreadable(connection, plan.lost_roots)
        if plan.found_unknown_folder:
            await tables.uncheck_outside(connection, MAX_TARGETS_RECHECKED)
        if moved.count:
            events.append(_moved_event(moved))
        return WriteResult(events, moved.count, leaving, targets_changed)

    async def publish(self, connection: Connection, written: WriteResult) -> None:
        """Delete the files that leave, append the events, and count the deletions."""
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
        earlier_events: Sequence[NewEvent] = (),
    ) -> None:
        """Delete files, and append `earlier_events` followed by the events of the deletions."""
        events = list(earlier_events)
        for reason, files in gone.items():
            difference = FileChanges(gone=files, gone_reason=reason)
            events += await self._registry.write(connection, difference)
        if events:
            await append_events(connection, self._key, events)

    async def _move_content(self, connection: Connection, plan: Plan) -> RelocatedFiles:
        """Update the paths of files below moved folders; return those that need an event."""
        if not plan.repath:
            return RelocatedFiles()
        published = {known.file_id for known, _ in plan.moved}
        return await self._tables.repath(
            connection, plan.repath, reported=published, limit=MENTIONED
        )

    async def _remove(self, connection: Connection, plan: Plan) -> Removals:
        """Remove folders and shortcuts; return the files that leave the index with them."""
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


def _resource_keys(states: States) -> dict[str, str]:
    """Return the resource keys that these items have, or know of their targets."""
    keys: dict[str, str] = {}
    for item_id, state in states.items():
        if state is not None and state.target_id and state.target_resource_key:
            keys[state.target_id] = state.target_resource_key
        if state is not None and state.resource_key:
            keys[item_id] = state.resource_key
    return keys


def _moved_event(moved: RelocatedFiles) -> NewStatusUpdate:
    files = [
        {
            "id": one["file_id"],
            "name": one["name"],
            "folder": one["path"],
            "previous_name": one["name"],
            "previous_folder": one["previous_folder"],
        }
        for one in moved.first
    ]
    return status_update({"files_moved": {"count": moved.count, "files": files}})
