"""Watches a folder: full checks find every change, and notifications find most of them sooner."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from raglive.extraction.document_channel import PASSES_DESCRIPTORS, ReadableFile, open_document
from raglive.sources.local_files.change_detection import DetectedChanges
from raglive.sources.local_files.file_version import FileVersion
from raglive.sources.local_files.folder_sync import FolderSync
from raglive.sources.local_files.location import path_of
from raglive.sources.local_files.notifications import (
    NotificationQueue,
    Notifications,
    NotificationSource,
    Writing,
    open_notifications,
)
from raglive.sources.local_files.registry_writer import LocalFilesRegistry
from raglive.sources.local_files.scope import WatchScope
from raglive.sources.local_files.volumes import Volume
from raglive.sources.local_files.watched_folder import identify
from raglive.sources.source import CheckResult, FileChanged, FileVanished, FolderUnavailable
from raglive.store.errors import DatabaseUnavailable
from raglive.store.registry.jobs import Job
from raglive.store.registry.pipelines import PipelineRecord
from raglive_contract.errors import RagliveError

__all__ = ["LocalFilesWatcher", "fetch"]

log = structlog.get_logger()

POLL_SECONDS = 2.0  # between full checks while notifications are incomplete or a problem lasts
MAX_POLLING_SHARE = 0.05  # of the time may be spent in such checks
MAX_WRITE_WAIT_SECONDS = 10.0  # a single check waits this long for files that are being written
MIN_PAUSE_SECONDS = 0.01


class LocalFilesWatcher:
    """Keeps the registry in line with a folder."""

    def __init__(
        self,
        record: PipelineRecord,
        scope: WatchScope,
        *,
        check_interval_seconds: float,
        on_queued: Callable[[], None],
    ) -> None:
        self._scope = scope
        self._folder = scope.folder
        self._interval = check_interval_seconds
        self._registry = LocalFilesRegistry(record, self._folder, on_queued)
        self._queue: NotificationQueue | None = None
        self._next_full = 0.0
        self._incomplete: str | None = None
        self.is_checking = False
        self.last_check: datetime | None = None
        self.next_check: datetime | None = None

    @property
    def location(self) -> str:
        """The watched folder's path."""
        return str(self._folder)

    async def run(self) -> None:
        """Watch until cancelled. Raises `FolderUnavailable` only at the start."""
        await asyncio.to_thread(identify, self._folder)
        async with self._notifications() as (queue, notifications):
            while True:
                try:
                    sync = await FolderSync.begin(self._scope, self._registry, notifications)
                    await self._watch(sync, queue, notifications)
                except DatabaseUnavailable as error:
                    log.warning("registry_unavailable", message=error.message)

    async def check(self) -> CheckResult:
        """Check the whole folder once, waiting a short time for files that are being written."""
        await asyncio.to_thread(identify, self._folder)
        started = time.monotonic()
        sync = await FolderSync.begin(self._scope, self._registry, None)
        found = [await self._check_everything(sync, {}, None)]
        while (due := sync.detector.next_due()) is not None:
            if due > started + MAX_WRITE_WAIT_SECONDS:
                log.warning("files_being_written", folder=self.location)
                break
            await asyncio.sleep(max(MIN_PAUSE_SECONDS, due - time.monotonic()))
            found.append(await sync.places({}))
        return _result(found, time.monotonic() - started)

    def fetch(self, job: Job) -> AbstractAsyncContextManager[ReadableFile]:
        """Provide a job's file, like the function `fetch`."""
        return self._fetch(job)

    @asynccontextmanager
    async def _fetch(self, job: Job) -> AsyncIterator[ReadableFile]:
        try:
            async with fetch(self._scope, job) as document:
                yield document
        except (FileChanged, FileVanished):
            if self._queue is not None:
                self._queue.add(job.location)
            raise

    @asynccontextmanager
    async def _notifications(self) -> AsyncIterator[tuple[NotificationQueue, NotificationSource]]:
        queue = self._queue = NotificationQueue()
        notifications = open_notifications(self._folder, queue)
        try:
            yield queue, notifications
        finally:
            self._queue = None
            notifications.close()

    async def _watch(
        self, sync: FolderSync, queue: NotificationQueue, notifications: NotificationSource
    ) -> None:
        self._next_full = time.monotonic()
        taken = queue.take()
        while True:
            try:
                await self._check(sync, taken, notifications)
            except FolderUnavailable as error:
                await sync.report_unavailable(error)
                self._schedule(POLL_SECONDS)
                await asyncio.sleep(POLL_SECONDS)
            else:
                await asyncio.sleep(MIN_PAUSE_SECONDS)
                await queue.wait(self._seconds_to_wait(sync))
            taken = queue.take()

    async def _check(
        self, sync: FolderSync, taken: Notifications, notifications: NotificationSource
    ) -> None:
        if taken.everything is not None:
            log.info("full_check", because=taken.everything)
        if taken.everything is not None or time.monotonic() >= self._next_full:
            await self._check_everything(sync, taken.places, notifications)
            return
        detected = await sync.places(taken.places)
        if detected.found_folder_link or detected.held:
            self._schedule(0)

    async def _check_everything(
        self,
        sync: FolderSync,
        notified: dict[str, Writing | None],
        notifications: NotificationSource | None,
    ) -> DetectedChanges:
        started = time.monotonic()
        self.is_checking = True
        try:
            if notifications is not None:
                notifications.begin_scan()
            detected = await sync.everything(notified)
        finally:
            self.is_checking = False
        self.last_check = datetime.now(UTC)
        if notifications is not None:
            self._schedule_next(sync, notifications, time.monotonic() - started)
        return detected

    def _schedule_next(
        self, sync: FolderSync, notifications: NotificationSource, duration: float
    ) -> None:
        """Schedule the next full check: soon if notifications are incomplete or a problem lasts."""
        shared = sync.detector.scanner.volumes.shared()
        incomplete = notifications.incomplete_because or (
            f"{', '.join(sorted(shared))} does not report every change" if shared else None
        )
        if incomplete != self._incomplete:
            event = "polling_started" if incomplete else "polling_stopped"
            log.warning(event, because=incomplete)
            self._incomplete = incomplete
        polling = max(POLL_SECONDS, duration / MAX_POLLING_SHARE)
        is_polling = incomplete or sync.needs_frequent_checks
        self._schedule(min(self._interval, polling) if is_polling else self._interval)

    def _schedule(self, seconds: float) -> None:
        self._next_full = time.monotonic() + seconds
        self.next_check = datetime.now(UTC) + timedelta(seconds=seconds)

    def _seconds_to_wait(self, sync: FolderSync) -> float:
        due = sync.detector.next_due()
        at = self._next_full if due is None else min(due, self._next_full)
        return max(0.0, at - time.monotonic())


def _result(found: Sequence[DetectedChanges], duration: float) -> CheckResult:
    differences = [detected.difference for detected in found]
    return CheckResult(
        files=found[0].files,
        new=sum(len(one.new) for one in differences),
        changed=sum(len(one.changed) + len(one.relocated) for one in differences),
        moved=sum(len(one.moved) + len(one.relocated) for one in differences),
        deleted=sum(len(one.gone) for one in differences),
        held=len(found[-1].held or found[0].held),
        duration_seconds=round(duration, 3),
    )


_ANY_VOLUME = Volume("any")  # the number of the file system does not matter at one location


@asynccontextmanager
async def fetch(scope: WatchScope, job: Job) -> AsyncIterator[ReadableFile]:
    """Provide a job's file, opened, for the duration of the block.

    Raises `FileVanished` or `FileChanged` when the file is not the version that is in the registry,
    or is reached by a link that is not followed. Afterwards, it raises the same errors, so that the
    text of a file that has changed since is discarded.
    """
    path = path_of(scope.folder, job.location)
    document = await asyncio.to_thread(_open, scope, path, job)
    try:
        yield document
    except Exception:
        await asyncio.to_thread(_require_unchanged, scope, path, job)
        raise
    finally:
        if isinstance(document, int):
            os.close(document)
    await asyncio.to_thread(_require_unchanged, scope, path, job)


def _open(scope: WatchScope, path: Path, job: Job) -> ReadableFile:
    """Open the file, and check what was opened: a link may replace any part of the path meanwhile.

    Returns the path where a process cannot pass descriptors.
    """
    if not PASSES_DESCRIPTORS:
        return path
    try:
        descriptor = open_document(path)
    except RagliveError:
        _require_unchanged(scope, path, job)
        _require_admitted(scope, os.path.realpath(path), job)
        raise
    try:
        try:
            target = os.readlink(f"/proc/self/fd/{descriptor}")  # noqa: PTH115 - called for each file
        except FileNotFoundError:  # only Linux names the file of a descriptor
            target = os.path.realpath(path)
        _require_admitted(scope, target, job)
        _require_version(os.fstat(descriptor), job)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _require_unchanged(scope: WatchScope, path: Path, job: Job) -> None:
    if not PASSES_DESCRIPTORS:  # otherwise, the opened file was checked
        _require_admitted(scope, os.path.realpath(path), job)
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileVanished(f"{job.name} is no longer where it was seen.") from error
    except OSError:
        return  # the extractor reports why the file cannot be read
    _require_version(status, job)


def _require_admitted(scope: WatchScope, target: str, job: Job) -> None:
    if not scope.admits_target(target):
        raise FileVanished(f"{job.name} is reached by a link that is not followed.")


def _require_version(status: os.stat_result, job: Job) -> None:
    version = FileVersion.from_json(job.source)
    if version is None or not version.same_as(FileVersion.of(status, _ANY_VOLUME)):
        raise FileChanged(f"{job.name} was changed while it was processed.")
