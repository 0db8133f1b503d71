"""What Drive says, written down: a page of states and the place in its log, one transaction."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from raglive.database.errors import retry_transient
from raglive.database.event_log import append_events
from raglive.database.google_drive import GoogleDriveTables, Known, Rehoused
from raglive.database.pipelines import PipelineRecord, new_event
from raglive.database.pool import Connection
from raglive.database.registry import (
    MENTIONED,
    GoneReason,
    KnownFile,
    Reconciliation,
    Registry,
)
from raglive.pipeline.watchers.google_drive.client import DriveClient
from raglive.pipeline.watchers.google_drive.errors import DriveNotFound
from raglive.pipeline.watchers.google_drive.files import DriveFile
from raglive.pipeline.watchers.google_drive.reconcile import Plan, States, decide, parents_of

__all__ = ["Ledger", "Tally", "WatchState", "insist"]

PATIENCE_SECONDS = 60.0
DEEPEST = 100  # rounds of asking: folders in folders, one above the other
MAX_OUTSIDE = 200  # shortcuts' targets outside the watched folders, asked for together

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class WatchState:
    """What the watcher keeps beside its tables."""

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


@dataclass(slots=True)
class Tally:
    """What was written since a check began."""

    new: int = 0
    changed: int = 0
    moved: int = 0
    deleted: int = 0

    def add(self, plan: Plan, deleted: int, rehoused: int) -> None:
        """Count a transaction."""
        self.new += len(plan.new)
        self.changed += len(plan.changed)
        self.moved += len(plan.moved) + rehoused
        self.deleted += deleted


@dataclass(slots=True)
class _Gone:
    """Files to be deleted, each once, with the first reason."""

    files: dict[int, tuple[KnownFile, GoneReason]] = field(default_factory=dict)

    def add(self, files: Iterable[KnownFile], reason: GoneReason) -> None:
        for file in files:
            self.files.setdefault(file.file_key, (file, reason))

    def by_reason(self) -> dict[GoneReason, list[KnownFile]]:
        found: dict[GoneReason, list[KnownFile]] = defaultdict(list)
        for file, reason in self.files.values():
            found[reason].append(file)
        return found


class Ledger:
    """The watcher's side of the database; raises `DatabaseUnavailable` after a minute of trying."""

    def __init__(
        self, record: PipelineRecord, client: DriveClient, on_queued: Callable[[], None]
    ) -> None:
        self.record = record
        self.tables = GoogleDriveTables(record)
        self.tally = Tally()
        self.state = WatchState()
        self.met_strange_folder = False
        self.lost_roots: set[str] = set()
        self.met_targets = True  # shortcuts came or went, or their targets changed drives
        self._client = client
        self._registry = Registry(record)
        self._on_queued = on_queued

    async def load(self) -> WatchState:
        """Read what was kept."""
        kept = await insist(self.record.watch_state, "reading the watcher's state")
        self.state = WatchState.kept_in(kept)
        return self.state

    async def write(
        self,
        states: States,
        *,
        log: str | None = None,
        cursor: str | None = None,
        listed: Collection[str] = (),
        checked: Collection[str] = (),
        is_listing: bool = False,
        tells_of_drives: bool = False,
    ) -> None:
        """Bring the registry to these states, and note what else is done with them.

        `cursor` is the place in `log` after them, `listed` the folders whose listing they end,
        `checked` the shortcuts' targets that were asked for. If the log `tells_of_drives`, what is
        in them may be seen by now, or no longer.
        """
        plan = await self._decide(dict(states), log, in_full=is_listing and self.state.in_full)
        plan.met_strange_folder |= tells_of_drives

        async def commit() -> tuple[int, int]:
            async with self.record.database.transaction() as connection:
                counts = await self._commit(connection, plan, states)
                if cursor is not None:
                    await self.tables.put_cursor(connection, log or "", cursor)
                if listed:
                    await self.tables.end_listing(
                        connection, listed, self.state.listing, met=self.state.in_full
                    )
                if checked:
                    await self.tables.checked(connection, checked)
                return await self._publish(connection, plan, *counts)

        deleted, rehoused = await insist(commit, "writing to the registry")
        self.tally.add(plan, deleted, rehoused)
        self.met_strange_folder |= plan.met_strange_folder
        self.lost_roots |= plan.lost_roots
        self.met_targets |= bool(plan.shortcuts or plan.gone_shortcuts or plan.gone_folders)
        if plan.new or plan.changed:
            self._on_queued()

    async def delete(self, gone: Mapping[GoneReason, list[KnownFile]]) -> None:
        """Delete files that a full listing has not met."""

        async def commit() -> None:
            async with self.record.database.transaction() as connection:
                events = []
                for reason, files in gone.items():
                    difference = Reconciliation(gone=files, gone_reason=reason)
                    events += await self._registry.write(connection, difference)
                if events:
                    await append_events(connection, self.record.key, events)

        await insist(commit, "deleting")
        self.tally.deleted += sum(map(len, gone.values()))

    async def forget_unseen(self) -> None:
        """Forget the folders and shortcuts that a full listing has not met."""

        async def commit() -> None:
            async with self.record.database.transaction() as connection:
                await self.tables.forget_unseen(connection, self.state.listing)

        await insist(commit, "forgetting folders")

    async def uncheck_unmet(self) -> None:
        """Have shortcuts' targets asked for that the full listing has not met."""

        async def commit() -> None:
            async with self.record.database.transaction() as connection:
                await self.tables.uncheck_unmet(connection, self.state.listing)

        await insist(commit, "comparing")

    async def begin_full_listing(self, cursors: Mapping[str, str] | None = None) -> None:
        """Have everything listed anew; `cursors` take the place of those that were lost."""

        async def commit() -> None:
            async with self.record.database.transaction() as connection:
                await self.begin_within(connection, cursors or {})

        await insist(commit, "beginning a full listing")
        await self.load()

    async def begin_within(self, connection: Connection, cursors: Mapping[str, str]) -> None:
        """Have everything listed anew, as part of a transaction; `load` after its end."""
        listing = max(self.state.listing + 1, int(time.time() * 1000))
        for log, cursor in cursors.items():
            await self.tables.put_cursor(connection, log, cursor)
        await self.tables.begin_full_listing(connection, listing, keep_away=not self.state.approved)
        await self.tables.patch_state(connection, {"listing": listing, "in_full": True})

    async def patch(self, patch: dict[str, Any]) -> None:
        """Keep something for the next time."""

        async def commit() -> None:
            async with self.record.database.transaction() as connection:
                await self.tables.patch_state(connection, patch)

        await insist(commit, "keeping the watcher's state")
        await self.load()

    async def requeue(self, error_codes: Collection[str]) -> None:
        """Try files again that failed for reasons that are gone."""

        async def commit() -> int:
            async with self.record.database.transaction() as connection:
                rows = await self.tables.requeue(connection, error_codes)
                if rows:
                    files = [{"id": row["file_id"], "name": row["name"]} for row in rows]
                    changes = {"files_requeued": {"count": len(rows), "files": files[:MENTIONED]}}
                    event = new_event("status:update", changes=changes)
                    await append_events(connection, self.record.key, [event])
                return len(rows)

        if await insist(commit, "queueing files again"):
            self._on_queued()

    async def ask(self, ids: Collection[str]) -> dict[str, DriveFile | None]:
        """Ask Drive what has become of items; None for those that are gone."""
        found: dict[str, DriveFile | None] = {}
        for item_id in sorted(ids):
            try:
                found[item_id] = await self._client.file(item_id)
            except DriveNotFound:
                found[item_id] = None
        return found

    async def _decide(
        self, states: dict[str, DriveFile | None], log: str | None, *, in_full: bool
    ) -> Plan:
        """Decide, asking for items until enough is known.

        Only a change log has news of strange folders: one that was asked for is none.
        """
        has_news: bool | None = None
        asked: set[str] = set()
        for _ in range(DEEPEST):
            known = await self._known(states)
            plan = decide(states, known, log=log, asked=asked, in_full=in_full)
            if has_news is None:
                has_news = plan.met_strange_folder and log is not None
            unasked = {one for one in plan.ask - asked if states.get(one) is None}
            if not unasked:
                break
            states |= await self.ask(unasked)
            asked |= unasked
        plan.met_strange_folder = bool(has_news)
        return plan

    async def _known(self, states: States) -> Known:
        async def read() -> Known:
            async with self.record.database.connection() as connection:
                return await self.tables.known(connection, states.keys(), parents_of(states))

        return await insist(read, "reading the registry")

    async def _commit(
        self, connection: Connection, plan: Plan, states: States
    ) -> tuple[list[dict[str, Any]], _Gone, list[Rehoused]]:
        tables = self.tables
        await tables.put_folders(
            connection, plan.folders, self.state.listing, in_full=self.state.in_full
        )
        rehoused = await tables.repath(connection, plan.repath) if plan.repath else []
        if plan.relist:
            await tables.relist(connection, plan.relist)
        events = await self._registry.write(
            connection, Reconciliation(plan.new, plan.changed, plan.moved)
        )
        await tables.put_shortcuts(connection, plan.shortcuts)
        if plan.targets:
            self.met_targets |= await tables.note_drives(connection, plan.targets)
        gone = _Gone()
        for file, reason in plan.gone:
            gone.add([file], reason)
        await self._remove(connection, plan, gone)
        if self.state.in_full:
            alive = [item for item, state in states.items() if state and not state.trashed]
            await tables.found(connection, alive)
        if plan.lost_roots:
            await tables.set_away(connection, plan.lost_roots)
        if plan.met_strange_folder:
            await tables.uncheck_outside(connection, MAX_OUTSIDE)
        return events, gone, rehoused

    async def _remove(self, connection: Connection, plan: Plan, gone: _Gone) -> None:
        tables = self.tables
        removed: list[str] = []
        reasons: dict[GoneReason, list[str]] = defaultdict(list)
        for folder_id, reason in plan.gone_folders.items():
            reasons[reason].append(folder_id)
        for reason, folders in reasons.items():
            below = await tables.remove_folders(connection, folders)
            removed += below
            alone, reached = await tables.files_in(connection, below)
            gone.add(alone, reason)
            await tables.uncheck(connection, [file.file_id for file in reached])
        if removed or plan.gone_shortcuts or plan.shortcuts:
            targets = await tables.remove_shortcuts(connection, plan.gone_shortcuts, removed)
            gone.add(await tables.orphans(connection, targets), "moved_out")

    async def _publish(
        self,
        connection: Connection,
        plan: Plan,
        events: list[dict[str, Any]],
        gone: _Gone,
        rehoused: list[Rehoused],
    ) -> tuple[int, int]:
        for reason, files in gone.by_reason().items():
            difference = Reconciliation(gone=files, gone_reason=reason)
            events += await self._registry.write(connection, difference)
        written = {known.file_id for known, _ in plan.moved}
        others = [one for one in rehoused if one.file_id not in written]
        if others:
            events.append(_moved(others))
        if events:
            await append_events(connection, self.record.key, events)
        return len(gone.files), len(others)


def _moved(rehoused: list[Rehoused]) -> dict[str, Any]:
    files = [
        {
            "id": one.file_id,
            "name": one.name,
            "folder": one.path,
            "previous_name": one.name,
            "previous_folder": one.previous_folder,
        }
        for one in rehoused[:MENTIONED]
    ]
    changes = {"files_moved": {"count": len(rehoused), "files": files}}
    return new_event("status:update", changes=changes)


async def insist(operation: Callable[[], Awaitable[Result]], what: str) -> Result:
    """Run an operation that may safely run twice, again while the database is away."""
    return await retry_transient(operation, within_seconds=PATIENCE_SECONDS, what=what)
