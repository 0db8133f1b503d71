"""The watcher of a folder: a scan is the truth, and hints say where to look sooner."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from raglive.sources.local_files.hints import HintSource, Inbox, Taken, open_hints
from raglive.sources.local_files.ignore import IgnoreRules
from raglive.sources.local_files.inspection import Findings
from raglive.sources.local_files.ledger import Ledger
from raglive.sources.local_files.location import path_of
from raglive.sources.local_files.root import FolderUnavailable, identify
from raglive.sources.local_files.session import Session
from raglive.sources.local_files.version import Version
from raglive.sources.local_files.volumes import Volume
from raglive.sources.source import CheckResult, FileChanged, FileVanished
from raglive.store.errors import DatabaseUnavailable
from raglive.store.registry.jobs import Job
from raglive.store.registry.pipelines import PipelineRecord

__all__ = ["LocalFilesWatcher", "fetch"]

log = structlog.get_logger()

POLL_SECONDS = 2.0  # where hints may be missing, and while something is wrong
POLLING_SHARE = 0.05  # of the time, at most, goes into scans that are repeated for that
CHECK_PATIENCE_SECONDS = 10.0  # of a single check, for files that are being written
BREATH_SECONDS = 0.01


class LocalFilesWatcher:
    """Keeps the registry true to a folder."""

    def __init__(
        self,
        record: PipelineRecord,
        folder: Path,
        *,
        check_interval_seconds: float,
        ignore_patterns: Sequence[str] = (),
        on_queued: Callable[[], None],
    ) -> None:
        self._folder = folder.absolute()
        self._interval = check_interval_seconds
        self._rules = IgnoreRules(ignore_patterns)
        self._ledger = Ledger(record, self._folder, on_queued)
        self._inbox: Inbox | None = None
        self._next_full = 0.0
        self._deaf: str | None = None
        self.is_checking = False
        self.last_check: datetime | None = None
        self.next_check: datetime | None = None

    @property
    def location(self) -> str:
        """Return the watched folder's path."""
        return str(self._folder)

    async def run(self) -> None:
        """Watch until cancelled; raise `FolderUnavailable` when there is no folder at first."""
        await asyncio.to_thread(identify, self._folder)
        async with self._hearing() as (inbox, hints):
            while True:
                try:
                    session = await Session.begin(self._folder, self._rules, self._ledger, hints)
                    await self._watch(session, inbox, hints)
                except DatabaseUnavailable as error:
                    log.warning("registry_unavailable", message=error.message)

    async def check(self) -> CheckResult:
        """Check all of the folder once, waiting a little for files that are being written."""
        await asyncio.to_thread(identify, self._folder)
        started = time.monotonic()
        session = await Session.begin(self._folder, self._rules, self._ledger, None)
        found = [await self._check_everything(session, {}, None)]
        while (due := session.inspection.next_due()) is not None:
            if due > started + CHECK_PATIENCE_SECONDS:
                log.warning("files_being_written", folder=self.location)
                break
            await asyncio.sleep(max(BREATH_SECONDS, due - time.monotonic()))
            found.append(await session.places({}))
        return _result(found, time.monotonic() - started)

    def fetch(self, job: Job) -> AbstractAsyncContextManager[Path]:
        """Lend a worker its file, as `fetch.fetch` does."""
        return self._fetch(job)

    @asynccontextmanager
    async def _fetch(self, job: Job) -> AsyncIterator[Path]:
        try:
            async with fetch(self._folder, job) as path:
                yield path
        except (FileChanged, FileVanished):
            if self._inbox is not None:
                self._inbox.touch(job.location)
            raise

    @asynccontextmanager
    async def _hearing(self) -> AsyncIterator[tuple[Inbox, HintSource]]:
        inbox = self._inbox = Inbox()
        hints = open_hints(self._folder, inbox)
        try:
            yield inbox, hints
        finally:
            self._inbox = None
            hints.close()

    async def _watch(self, session: Session, inbox: Inbox, hints: HintSource) -> None:
        self._next_full = time.monotonic()
        taken = inbox.take()
        while True:
            try:
                await self._look(session, taken, hints)
            except FolderUnavailable as error:
                await session.report_unavailable(error)
                self._schedule(POLL_SECONDS)
                await asyncio.sleep(POLL_SECONDS)
            else:
                await asyncio.sleep(BREATH_SECONDS)
                await inbox.wait(self._seconds_to_wait(session))
            taken = inbox.take()

    async def _look(self, session: Session, taken: Taken, hints: HintSource) -> None:
        if taken.everything is not None:
            log.info("full_check", because=taken.everything)
        if taken.everything is not None or time.monotonic() >= self._next_full:
            await self._check_everything(session, taken.places, hints)
            return
        findings = await session.places(taken.places)
        if findings.met_link or findings.held:
            self._schedule(0)

    async def _check_everything(
        self, session: Session, hinted: dict[str, bool | None], hints: HintSource | None
    ) -> Findings:
        started = time.monotonic()
        self.is_checking = True
        try:
            if hints is not None:
                hints.begin_scan()
            findings = await session.everything(hinted)
        finally:
            self.is_checking = False
        self.last_check = datetime.now(UTC)
        if hints is not None:
            self._plan(session, hints, time.monotonic() - started)
        return findings

    def _plan(self, session: Session, hints: HintSource, duration: float) -> None:
        """Set the next full check: soon where hints may be missing or somebody is to act."""
        shared = session.inspection.scanner.volumes.shared()
        deaf = hints.deaf_because or (
            f"{', '.join(sorted(shared))} tells of no changes" if shared else None
        )
        if deaf != self._deaf:
            log.warning("polling" if deaf else "hints_heard_again", because=deaf)
            self._deaf = deaf
        often = max(POLL_SECONDS, duration / POLLING_SHARE)
        self._schedule(
            min(self._interval, often) if deaf or session.is_troubled else self._interval
        )

    def _schedule(self, seconds: float) -> None:
        self._next_full = time.monotonic() + seconds
        self.next_check = datetime.now(UTC) + timedelta(seconds=seconds)

    def _seconds_to_wait(self, session: Session) -> float:
        due = session.inspection.next_due()
        at = self._next_full if due is None else min(due, self._next_full)
        return max(0.0, at - time.monotonic())


def _result(found: Sequence[Findings], duration: float) -> CheckResult:
    differences = [findings.difference for findings in found]
    return CheckResult(
        files=found[0].files,
        new=sum(len(one.new) for one in differences),
        changed=sum(len(one.changed) + len(one.carried) for one in differences),
        moved=sum(len(one.moved) + len(one.carried) for one in differences),
        deleted=sum(len(one.gone) for one in differences),
        held=len(found[-1].held or found[0].held),
        duration_seconds=round(duration, 3),
    )


_ANY = Volume("any")  # within one place, a file system's number does not matter


@asynccontextmanager
async def fetch(folder: Path, job: Job) -> AsyncIterator[Path]:
    """Lend the path of a job's file.

    Raises `FileVanished` or `FileChanged` when the file, after it was read or could not be, is not
    the version that the registry speaks of: what was read is void, and the watcher will say more.
    """
    path = path_of(folder, job.location)
    try:
        yield path
    except Exception:
        await asyncio.to_thread(_expect, path, job)
        raise
    await asyncio.to_thread(_expect, path, job)


def _expect(path: Path, job: Job) -> None:
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise FileVanished(f"{job.name} is no longer where it was seen.") from error
    except OSError:
        return  # whoever reads it says why it cannot be read
    version = Version.kept_in(job.source)
    if version is None or not version.same_as(Version.of(status, _ANY)):
        raise FileChanged(f"{job.name} was changed while it was processed.")
