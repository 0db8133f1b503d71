"""What Drive says, written down: a page of states and the place in its log, one transaction."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from raglive.sources.google_drive.client import DriveClient
from raglive.sources.google_drive.errors import DriveNotFound
from raglive.sources.google_drive.files import DriveFile
from raglive.sources.google_drive.reconcile import Plan, States, decide, parents_of
from raglive.sources.google_drive.writer import WatchState, Writer, Written
from raglive.store.errors import retry_transient
from raglive.store.log.event_log import append_events
from raglive.store.pool import Connection
from raglive.store.registry.files import GoneReason, KnownFile
from raglive.store.registry.google_drive import GoogleDriveTables, KnownItems
from raglive.store.registry.pipelines import MENTIONED, PipelineRecord, new_event

__all__ = ["Ledger", "Tally", "insist"]

PATIENCE_SECONDS = 60.0
DEEPEST = 100  # rounds of asking: folders in folders, one above the other

Result = TypeVar("Result")


@dataclass(slots=True)
class Tally:
    """What was written since a check began."""

    new: int = 0
    changed: int = 0
    moved: int = 0
    deleted: int = 0

    def add(self, plan: Plan, written: Written) -> None:
        """Count a transaction."""
        self.new += len(plan.new)
        self.changed += len(plan.changed)
        self.moved += len(plan.moved) + written.rehoused
        self.deleted += written.deleted


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
        self._writer = Writer(record, self.tables)
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

        async def commit() -> Written:
            async with self.record.database.transaction() as connection:
                written = await self._writer.write(connection, plan, states, self.state)
                if cursor is not None:
                    await self.tables.put_cursor(connection, log or "", cursor)
                if listed:
                    await self.tables.end_listing(
                        connection, listed, self.state.listing, found=self.state.in_full
                    )
                if checked:
                    await self.tables.checked(connection, checked)
                await self._writer.publish(connection, written)
                return written

        written = await insist(commit, "writing to the registry")
        self.tally.add(plan, written)
        self.met_strange_folder |= plan.met_strange_folder
        self.lost_roots |= plan.lost_roots
        self.met_targets |= written.met_targets
        if plan.new or plan.changed:
            self._on_queued()

    async def delete(self, gone: Mapping[GoneReason, list[KnownFile]]) -> None:
        """Delete files that a full listing has not met."""

        async def commit() -> None:
            async with self.record.database.transaction() as connection:
                await self._writer.delete(connection, gone)

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
                await self.tables.uncheck_unseen(connection, self.state.listing)

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
                count, rows = await self.tables.requeue(connection, error_codes, MENTIONED)
                if count:
                    files = [{"id": row["file_id"], "name": row["name"]} for row in rows]
                    changes = {"files_requeued": {"count": count, "files": files}}
                    event = new_event("status:update", changes=changes)
                    await append_events(connection, self.record.key, [event])
                return count

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

    async def _known(self, states: States) -> KnownItems:
        async def read() -> KnownItems:
            async with self.record.database.connection() as connection:
                return await self.tables.known(connection, states.keys(), parents_of(states))

        return await insist(read, "reading the registry")


async def insist(operation: Callable[[], Awaitable[Result]], what: str) -> Result:
    """Run an operation that may safely run twice, again while the database is away."""
    return await retry_transient(operation, within_seconds=PATIENCE_SECONDS, what=what)
