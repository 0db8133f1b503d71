"""The watcher of Google Drive: change logs tell what to look at, full listings that it was all."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from raglive.sources.google_drive.client import DriveClient
from raglive.sources.google_drive.download import fetch
from raglive.sources.google_drive.errors import CursorLost, FolderUnavailable
from raglive.sources.google_drive.ledger import Ledger, Tally, insist
from raglive.sources.google_drive.listing import Listing
from raglive.sources.google_drive.problems import Problems
from raglive.sources.google_drive.roots import Roots
from raglive.sources.source import CheckResult
from raglive.store.errors import STORE_ERRORS
from raglive.store.registry.jobs import Job
from raglive.store.registry.pipelines import PipelineRecord
from raglive_contract.errors import RagliveError

__all__ = ["GoogleDriveWatcher"]

log = structlog.get_logger()

FULL_LISTING_SECONDS = 6 * 3600.0
ROUNDS = 3  # in one check: a cursor may be lost again while everything is listed anew
FIRST_PAUSE_SECONDS = 2.0
LONGEST_PAUSE_SECONDS = 300.0
_MENDED_BY_ASKING_AGAIN = frozenset({"auth_required", "drive_unavailable", "drive_rate_limited"})
_ACCESS = frozenset({"drive_not_found", "drive_forbidden"})


class GoogleDriveWatcher:
    """Keeps the registry true to folders of Google Drive."""

    def __init__(
        self,
        record: PipelineRecord,
        client: DriveClient,
        folders: Sequence[str],
        *,
        check_interval_seconds: float,
        full_listing_seconds: float = FULL_LISTING_SECONDS,
        max_file_bytes: int = 512 * 2**20,
        on_queued: Callable[[], None],
    ) -> None:
        self._client = client
        self._interval = check_interval_seconds
        self._full_seconds = full_listing_seconds
        self._max_bytes = max_file_bytes
        self._ledger = Ledger(record, client, on_queued)
        self._roots = Roots(client, self._ledger, folders)
        self._listing = Listing(client, self._ledger)
        self._problems = Problems(record)
        self._settle_roots = True
        self._mended = True  # whatever failed for want of access is tried again at the start
        self._woken = asyncio.Event()
        self.is_checking = False
        self.last_check: datetime | None = None
        self.next_check: datetime | None = None

    @property
    def location(self) -> str:
        """Return the addresses of the watched folders."""
        address = "https://drive.google.com/drive/folders/"
        return ", ".join(f"{address}{folder}" for folder in self._roots.folders)

    @property
    def logs(self) -> set[str]:
        """Return the change logs that are read: of shared drives by id, the account's own empty."""
        return self._roots.logs

    def wake(self) -> None:
        """Look at the change logs now."""
        self._woken.set()

    async def run(self) -> None:
        """Watch until cancelled; what goes wrong is said, and tried again."""
        pause = FIRST_PAUSE_SECONDS
        while True:
            self._woken.clear()
            try:
                await self.check()
            except STORE_ERRORS as error:
                log.debug("check_again", after=type(error).__name__)
                wait, pause = pause, min(pause * 2, LONGEST_PAUSE_SECONDS)
            else:
                wait, pause = self._interval, FIRST_PAUSE_SECONDS
            self.next_check = datetime.now(UTC) + timedelta(seconds=wait)
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._woken.wait()

    async def check(self) -> CheckResult:
        """Read what is new in the change logs; list everything when that is due.

        Raises `AuthRequired`, `FolderUnavailable`, `DriveUnavailable` and the like; whatever is
        raised, nothing was deleted that is there.
        """
        started = time.monotonic()
        self.is_checking = True
        try:
            tally, problem = await self._check()
        except RagliveError as error:
            log.warning("check_failed", code=error.code, message=error.message)
            self._settle_roots |= error.code in _ACCESS
            self._mended |= error.code in _MENDED_BY_ASKING_AGAIN
            with suppress(*STORE_ERRORS):
                await self._problems.publish((str(error.code), error.message))
            raise
        finally:
            self.is_checking = False
        self.last_check = datetime.now(UTC)
        return CheckResult(
            files=await insist(self._ledger.tables.file_count, "counting files"),
            new=tally.new,
            changed=tally.changed,
            moved=tally.moved,
            deleted=tally.deleted,
            held=self._ledger.state.held,
            problem=problem,
            duration_seconds=round(time.monotonic() - started, 3),
        )

    def fetch(self, job: Job) -> AbstractAsyncContextManager[Path]:
        """Lend a worker its file, downloaded."""
        return fetch(self._client, job, self._max_bytes)

    async def _check(self) -> tuple[Tally, RagliveError | None]:
        ledger = self._ledger
        ledger.tally = Tally()
        await ledger.load()
        for _ in range(ROUNDS):
            await self._begin()
            await self._listing.work_off()
            if ledger.met_targets:
                await self._roots.follow_targets()
                await self._listing.work_off()
            if await self._replay() and not self._settle_roots and not ledger.met_targets:
                break
        await self._listing.work_off()
        if ledger.state.in_full and not self._settle_roots:
            # A watched folder that has just gone away takes nothing with it.
            if await self._roots.are_there():
                await self._listing.end_full()
                await self._listing.work_off()
            else:
                self._settle_roots = True
        return ledger.tally, await self._settle_problem()

    async def _begin(self) -> None:
        """Look at the watched folders where that is called for; begin what is due."""
        ledger = self._ledger
        is_due = time.time() - ledger.state.listed_at >= self._full_seconds
        if self._settle_roots or self._roots.away or is_due:
            await self._roots.settle()
            self._settle_roots = False
        state = ledger.state
        if not state.in_full and (is_due or state.approved):
            await ledger.begin_full_listing()

    async def _replay(self) -> bool:
        """Read every change log to its end; say whether none was lost."""
        cursors = await insist(self._ledger.tables.cursors, "reading cursors")
        lost: dict[str, str] = {}
        for name in sorted(self._roots.logs):
            try:
                await self._read_log(name, cursors[name])
            except CursorLost as error:
                log.warning("cursor_lost", log=name, message=error.message)
                lost[name] = await self._client.start_token(name or None)
        if lost:
            await self._ledger.begin_full_listing(lost)
        ledger = self._ledger
        if ledger.met_strange_folder or ledger.lost_roots:
            ledger.met_strange_folder = False
            ledger.lost_roots = set()
            self._settle_roots = True
        return not lost

    async def _read_log(self, name: str, cursor: str) -> None:
        while True:
            page = await self._client.changes(cursor, name or None)
            if page.changes or page.cursor != cursor:
                states = {change.file_id: change.file for change in page.changes}
                await self._ledger.write(
                    states, log=name, cursor=page.cursor, tells_of_drives=page.tells_of_drives
                )
            cursor = page.cursor
            if page.is_last:
                return

    async def _settle_problem(self) -> RagliveError | None:
        """Publish what is wrong; return what kept a watched folder from being read."""
        ledger = self._ledger
        unavailable = None
        away = next(iter(self._roots.away.values()), None)
        if away is not None:
            approve = "Until then nothing is deleted; `raglive pipeline approve` deletes its files."
            unavailable = FolderUnavailable(f"{away} {approve}")
            await self._problems.publish((FolderUnavailable.code, unavailable.message))
        elif ledger.state.held:
            await self._problems.publish(
                (
                    "deletions_held",
                    f"{ledger.state.held} files are missing in Google Drive, more than is "
                    "believed at once. Nothing was deleted. If they are meant to be gone, run "
                    "`raglive pipeline approve`.",
                )
            )
        else:
            await self._problems.publish(None)
        if self._mended:
            await ledger.requeue(_MENDED_BY_ASKING_AGAIN)
            self._mended = False
        return unavailable
