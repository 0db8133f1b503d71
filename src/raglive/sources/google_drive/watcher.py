"""Watches folders of Google Drive: change logs report changes, full listings verify them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from raglive.sources.google_drive.change_logs import REFUSED_FOR_A_RIGHT, ChangeLogReader
from raglive.sources.google_drive.client import DriveClient
from raglive.sources.google_drive.deletion_guard import DriveDeletionGuard
from raglive.sources.google_drive.download import fetch
from raglive.sources.google_drive.folder_listing import FolderListing
from raglive.sources.google_drive.plan_writer import MissingFiles
from raglive.sources.google_drive.registry_writer import ChangeCounts, DriveRegistry
from raglive.sources.google_drive.watched_folders import WatchedFolders
from raglive.sources.problems import ProblemPublisher, WatcherProblem
from raglive.sources.source import CheckResult, FolderUnavailable
from raglive.store.errors import STORE_ERRORS, retry_transient
from raglive.store.registry.jobs import Job
from raglive.store.registry.pipelines import PipelineRecord
from raglive_contract.backoff import Backoff
from raglive_contract.errors import ErrorCode, RagliveError

__all__ = ["GoogleDriveWatcher"]

log = structlog.get_logger()

FULL_LISTING_SECONDS = 6 * 3600.0
ROUNDS_PER_CHECK = 3  # a cursor may be lost again during the full listing that replaces it
RETRY_BACKOFF = Backoff(first_seconds=2.0, longest_seconds=300.0)
MAX_WAIT_SECONDS = 3600.0  # between checks, if Google asks for a longer pause
_ACCESS_ERRORS = frozenset({ErrorCode.DRIVE_NOT_FOUND, ErrorCode.DRIVE_FORBIDDEN})
# Files that failed with these errors are queued again once a check succeeds.
_REQUEUED_AFTER_RECOVERY = frozenset(
    {
        ErrorCode.AUTH_REQUIRED,
        ErrorCode.DRIVE_DISABLED,
        ErrorCode.DRIVE_RATE_LIMITED,
        ErrorCode.DRIVE_UNAVAILABLE,
    }
)


class GoogleDriveWatcher:
    """Keeps the registry in line with folders of Google Drive."""

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
        self._interval = check_interval_seconds
        self._full_listing_seconds = full_listing_seconds
        self._max_bytes = max_file_bytes
        self._registry = DriveRegistry(record, client, on_queued)
        self._folders = WatchedFolders(client, self._registry, folders)
        self._listing = FolderListing(self._registry)
        self._change_logs = ChangeLogReader(client, self._registry)
        self._deletions = DriveDeletionGuard(self._registry)
        self._problems = ProblemPublisher(record)
        self._must_check_folders = True
        self._has_recovered = True  # also at the start: an earlier process may have failed
        self._woken = asyncio.Event()
        self.is_checking = False
        self.last_check: datetime | None = None
        self.next_check: datetime | None = None

    @property
    def location(self) -> str:
        """The addresses of the watched folders."""
        address = "https://drive.google.com/drive/folders/"
        return ", ".join(f"{address}{folder}" for folder in self._folders.ids)

    @property
    def logs(self) -> set[str]:
        """The change logs that are read: of shared drives by id, the account's own as ''."""
        return self._folders.logs

    def wake(self) -> None:
        """Check the change logs now."""
        self._woken.set()

    async def run(self) -> None:
        """Watch until cancelled. Errors are published, and the check is retried."""
        failures = 0
        while True:
            self._woken.clear()
            try:
                await self.check()
            except STORE_ERRORS as error:
                asked = getattr(error, "retry_after_ms", None) or 0
                wait = max(RETRY_BACKOFF.seconds(failures), min(asked / 1000, MAX_WAIT_SECONDS))
                log.debug("check_retry", after=type(error).__name__, seconds=round(wait, 2))
                failures += 1
            else:
                wait, failures = self._interval, 0
            self.next_check = datetime.now(UTC) + timedelta(seconds=wait)
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._woken.wait()

    async def check(self) -> CheckResult:
        """Apply the changes of the change logs, and list everything when that is due.

        Raises `AuthRequired`, `FolderUnavailable`, `DriveUnavailable` and other Drive errors. No
        error leads to a wrong deletion.
        """
        started = time.monotonic()
        self.is_checking = True
        try:
            counts, problem = await self._check()
        except RagliveError as error:
            log.warning("check_failed", code=error.code, message=error.message)
            self._must_check_folders |= error.code in _ACCESS_ERRORS
            self._has_recovered |= error.code in _REQUEUED_AFTER_RECOVERY
            with suppress(*STORE_ERRORS):
                await self._problems.publish(WatcherProblem(str(error.code), error.message))
            raise
        finally:
            self.is_checking = False
        self.last_check = datetime.now(UTC)
        return CheckResult(
            files=await retry_transient(self._registry.tables.file_count, what="counting files"),
            new=counts.new,
            changed=counts.changed,
            moved=counts.moved,
            deleted=counts.deleted,
            held=0 if (held := self._registry.state.held) is None else held.files,
            problem=problem,
            duration_seconds=round(time.monotonic() - started, 3),
        )

    @asynccontextmanager
    async def fetch(self, job: Job) -> AsyncIterator[Path]:
        """Provide a job's file, downloaded to a temporary file."""
        client = await self._registry.client_for([job.location])
        async with fetch(client, job, self._max_bytes) as path:
            yield path

    async def _check(self) -> tuple[ChangeCounts, RagliveError | None]:
        registry = self._registry
        registry.counts = ChangeCounts()
        await registry.load()
        for _ in range(ROUNDS_PER_CHECK):
            await self._check_folders_if_due()
            await self._listing.run()
            if registry.targets_changed:
                await self._folders.update_target_logs()
                await self._listing.run()
            is_read = await self._read_change_logs()
            if is_read and not self._must_check_folders and not registry.targets_changed:
                break
        await self._listing.run()
        if registry.state.is_running and not self._must_check_folders:
            # The files of a watched folder that has just become unavailable are not deleted.
            if await self._folders.are_available():
                await self._deletions.end_full_listing()
                await registry.requeue(REFUSED_FOR_A_RIGHT)
                await self._listing.run()
            else:
                self._must_check_folders = True
        return registry.counts, await self._publish_problem()

    async def _check_folders_if_due(self) -> None:
        registry = self._registry
        is_due = time.time() - registry.state.ended_at >= self._full_listing_seconds
        if self._must_check_folders or self._folders.unavailable or is_due:
            await self._folders.check()
            self._must_check_folders = False
        state = registry.state
        if not state.is_running and (is_due or state.deletions_approved):
            await registry.begin_full_listing()

    async def _read_change_logs(self) -> bool:
        is_read = await self._change_logs.read(self._folders.logs)
        registry = self._registry
        if registry.found_unknown_folder or registry.lost_roots:
            registry.found_unknown_folder = False
            registry.lost_roots = set()
            self._must_check_folders = True
        return is_read

    async def _publish_problem(self) -> RagliveError | None:
        """Publish the current problem; return it if a watched folder could not be read."""
        registry = self._registry
        unavailable = self._unavailable()
        if unavailable is not None:
            problem = WatcherProblem(FolderUnavailable.code, unavailable.message)
            await self._problems.publish(problem)
        elif registry.state.held is not None:
            await self._problems.publish(_held(registry.state.held))
        else:
            await self._problems.publish(None)
        if self._has_recovered:
            await registry.requeue(_REQUEUED_AFTER_RECOVERY)
            self._has_recovered = False
        return unavailable

    def _unavailable(self) -> FolderUnavailable | None:
        """Return the error of a watched folder that cannot be read, first of those that were."""
        folders = self._folders
        for folder_id, reason in folders.unavailable.items():
            if folder_id in folders.lost:
                return FolderUnavailable(
                    f"{reason} Its files remain in the index until then; `raglive pipeline "
                    "approve` deletes them."
                )
        return next(map(FolderUnavailable, folders.unavailable.values()), None)


def _held(held: MissingFiles) -> WatcherProblem:
    if held.present:
        said = (
            f"Google Drive still has {held.present} of {held.checked} files that were requested, "
            f"of {held.files} that its listing lacks: the listing is incomplete."
        )
    else:
        said = (
            f"Google Drive has none of {held.checked} files any more that were requested, of "
            f"{held.files} that are missing in the watched folders: too many to be deleted without "
            "approval."
        )
    return WatcherProblem(
        "deletions_held",
        f"{said} Nothing was deleted. If files are meant to be gone, run `raglive pipeline "
        "approve`: each one is requested once more, and only deleted if it is gone.",
    )
