"""Writes the states of Drive items to the registry, and the cursor after them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from raglive.sources.google_drive.client import DriveClient
from raglive.sources.google_drive.drive_file import DriveFile
from raglive.sources.google_drive.errors import DriveNotFound
from raglive.sources.google_drive.plan_writer import FullListingState, PlanWriter, WriteResult
from raglive.sources.google_drive.reconcile import Plan, States, decide, parents_of
from raglive.store.errors import retry_transient
from raglive.store.log.event_log import append_events
from raglive.store.log.new_events import status_update
from raglive.store.pool import Connection
from raglive.store.registry.google_drive import GoogleDriveTables, KnownItems
from raglive.store.registry.pipelines import MENTIONED, PipelineRecord

__all__ = ["ChangeCounts", "DriveRegistry"]

CONCURRENT_REQUESTS = 8
MAX_FOLDER_DEPTH = 100  # rounds of requests for unknown parent folders

Result = TypeVar("Result")


@dataclass(slots=True)
class ChangeCounts:
    """The changes written since a check began."""

    new: int = 0
    changed: int = 0
    moved: int = 0
    deleted: int = 0

    def add(self, plan: Plan, written: WriteResult) -> None:
        """Add the changes of a transaction."""
        self.new += len(plan.new)
        self.changed += len(plan.changed)
        self.moved += len(plan.moved) + written.moved_with_folder
        self.deleted += written.deleted


class DriveRegistry:
    """The watcher's access to the database, with retries.

    Every method raises `DatabaseUnavailable` after a minute. Three flags collect what the watcher
    has to do next: `found_unknown_folder` (it may contain a watched folder), `lost_roots` (watched
    folders that disappeared) and `targets_changed` (of shortcuts).
    """

    def __init__(
        self, record: PipelineRecord, client: DriveClient, on_queued: Callable[[], None]
    ) -> None:
        self.record = record
        self.tables = GoogleDriveTables(record)
        self.counts = ChangeCounts()
        self.state = FullListingState()
        self.found_unknown_folder = False
        self.lost_roots: set[str] = set()
        self.targets_changed = True
        self._client = client
        self._writer = PlanWriter(record, self.tables)
        self._on_queued = on_queued

    async def load(self) -> FullListingState:
        """Read the saved state."""
        saved = await retry_transient(self.record.watch_state, what="reading the watcher's state")
        self.state = FullListingState.from_json(saved)
        return self.state

    async def in_transaction(
        self, work: Callable[[Connection], Awaitable[Result]], what: str
    ) -> Result:
        """Run `work` in a transaction, again while the database is unavailable."""

        async def run() -> Result:
            async with self.record.database.transaction() as connection:
                return await work(connection)

        return await retry_transient(run, what=what)

    async def write(
        self,
        states: States,
        *,
        log: str | None = None,
        cursor: str | None = None,
        listed: Collection[str] = (),
        checked: Collection[str] = (),
        requested: Collection[str] = (),
        is_listing: bool = False,
        mentions_drives: bool = False,
    ) -> None:
        """Write the states of items and what they complete, in one transaction.

        `cursor` is the position in `log` after them, `listed` are the folders whose listing is
        complete, `checked` the requested targets of shortcuts, `requested` missing files. If the
        log `mentions_drives`, items of shared drives may have become visible or invisible.
        """
        is_full = is_listing and self.state.is_running
        plan = await self._decide(dict(states), log, in_full=is_full)
        plan.found_unknown_folder |= mentions_drives

        async def commit(connection: Connection) -> WriteResult:
            written = await self._writer.write(connection, plan, states, self.state)
            if cursor is not None:
                await self.tables.put_cursor(connection, log or "", cursor)
            if listed:
                await self.tables.end_listing(
                    connection, listed, self.state.number, found=self.state.is_running
                )
            if checked:
                await self.tables.checked(connection, checked)
            if requested:
                await self.tables.found(connection, requested)
            await self._writer.publish(connection, written)
            return written

        written = await self.in_transaction(commit, "writing to the registry")
        self.counts.add(plan, written)
        self.found_unknown_folder |= plan.found_unknown_folder
        self.lost_roots |= plan.lost_roots
        self.targets_changed |= written.targets_changed
        if plan.new or plan.changed:
            self._on_queued()

    async def present(self, states: States) -> list[str]:
        """Return the ids of known files that are in the watched folders now.

        Folders that the full listing did not find are requested from Drive.
        """
        plan = await self._decide(dict(states), None, in_full=False, listing=self.state.number)
        gone = {file.file_id for file, _ in plan.gone}
        return [item for item in states if item not in gone]

    async def record_unseen(self) -> None:
        """Record which files the full listing did not find, and request such shortcut targets."""

        async def commit(connection: Connection) -> None:
            await self.tables.uncheck_unseen(connection, self.state.number)
            await self.tables.record_unseen(connection, self.state.number)

        await self.in_transaction(commit, "recording missing files")

    async def forget_unseen(self) -> None:
        """Remove folders and shortcuts that the full listing did not find."""

        async def commit(connection: Connection) -> None:
            await self.tables.forget_unseen(connection, self.state.number)
            await self.tables.forget_resource_keys(connection)

        await self.in_transaction(commit, "removing folders")

    async def begin_full_listing(self, cursors: Mapping[str, str] | None = None) -> None:
        """Begin a full listing; `cursors` replace those that the change logs no longer accept."""
        await self.in_transaction(
            lambda connection: self.begin_full_listing_in(connection, cursors or {}),
            "beginning a full listing",
        )
        await self.load()

    async def begin_full_listing_in(
        self, connection: Connection, cursors: Mapping[str, str]
    ) -> None:
        """Begin a full listing within a transaction; call `load` after its commit."""
        number = max(self.state.number + 1, int(time.time() * 1000))
        for log, cursor in cursors.items():
            await self.tables.put_cursor(connection, log, cursor)
        await self.tables.begin_full_listing(
            connection, number, keep_unreadable=not self.state.deletions_approved
        )
        await self.tables.patch_state(connection, {"listing": number, "in_full": True})

    async def patch_state(self, patch: dict[str, Any]) -> None:
        """Change keys of the saved state."""
        await self.in_transaction(
            lambda connection: self.tables.patch_state(connection, patch),
            "saving the watcher's state",
        )
        await self.load()

    async def requeue(self, codes: Collection[str], ids: Collection[str] | None = None) -> None:
        """Queue files again that failed or were skipped with these codes, of `ids` if given."""

        async def commit(connection: Connection) -> int:
            count, rows = await self.tables.requeue(connection, codes, MENTIONED, ids)
            if count:
                files = [{"id": row["file_id"], "name": row["name"]} for row in rows]
                event = status_update({"files_requeued": {"count": count, "files": files}})
                await append_events(connection, self.record.key, [event])
            return count

        if await self.in_transaction(commit, "queueing files again"):
            self._on_queued()

    async def fetch_states(self, ids: Collection[str]) -> dict[str, DriveFile | None]:
        """Request the current state of items from Drive; None for those that do not exist."""
        found: dict[str, DriveFile | None] = {}
        ordered = sorted(ids)
        for at in range(0, len(ordered), CONCURRENT_REQUESTS):
            some = ordered[at : at + CONCURRENT_REQUESTS]
            client = await self.client_for(some)
            states = await asyncio.gather(
                *(_fetch_state(client, item_id) for item_id in some), return_exceptions=True
            )
            for item_id, state in zip(some, states, strict=True):
                if isinstance(state, BaseException):
                    raise state
                found[item_id] = state
        return found

    async def client_for(self, ids: Collection[str]) -> DriveClient:
        """Return a client that can read these items, with the resource keys that are known."""
        keys = await retry_transient(
            lambda: self.tables.resource_keys(ids), what="reading resource keys"
        )
        return self._client.with_resource_keys(keys)

    async def _decide(
        self,
        states: dict[str, DriveFile | None],
        log: str | None,
        *,
        in_full: bool,
        listing: int | None = None,
    ) -> Plan:
        """Plan the changes, requesting unknown items from Drive until the plan is complete.

        Folders that `listing` did not find count as unknown. An unknown folder only matters when
        the change log mentions it, not when it was requested.
        """
        is_reported: bool | None = None
        asked: set[str] = set()
        for _ in range(MAX_FOLDER_DEPTH):
            known = await self._known(states, listing)
            plan = decide(
                states,
                known,
                log=log,
                asked=asked,
                in_full=in_full,
                leaves_unreadable=self.state.deletions_approved,
            )
            if is_reported is None:
                is_reported = plan.found_unknown_folder and log is not None
            unasked = {one for one in plan.ask - asked if states.get(one) is None}
            if not unasked:
                break
            states |= await self.fetch_states(unasked)
            asked |= unasked
        plan.found_unknown_folder = bool(is_reported)
        return plan

    async def _known(self, states: States, listing: int | None) -> KnownItems:
        async def read() -> KnownItems:
            async with self.record.database.connection() as connection:
                ids, parents = states.keys(), parents_of(states)
                return await self.tables.known(connection, ids, parents, listing)

        return await retry_transient(read, what="reading the registry")


async def _fetch_state(client: DriveClient, item_id: str) -> DriveFile | None:
    try:
        return await client.file(item_id)
    except DriveNotFound:
        return None
