"""Brings the registry in line with the folder, and publishes what prevents that."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

import structlog

from raglive.sources.local_files.change_detection import ChangeDetector, DetectedChanges
from raglive.sources.local_files.location import readable
from raglive.sources.local_files.notifications import NotificationSource, Writing
from raglive.sources.local_files.registry_writer import LocalFilesRegistry
from raglive.sources.local_files.scope import WatchScope
from raglive.sources.local_files.watched_folder import FolderState
from raglive.sources.problems import WatcherProblem
from raglive_contract.errors import ErrorCode, RagliveError

__all__ = ["FolderSync"]

log = structlog.get_logger()

UNRESPONSIVE_SECONDS = 30.0  # without progress, a scan is reported as a problem

_LINKS_ADVICE = (
    "They leave the watched folder, or hold secrets of raglive. RAGLIVE_FOLLOW_LINKS=true follows "
    "links to other folders."
)

Notified = Mapping[str, Writing | None]
"""Locations of notifications, with the last one about writing to the file."""


class FolderSync:
    """Syncs the registry for one run of the watcher, or for one check."""

    def __init__(
        self,
        folder: Path,
        registry: LocalFilesRegistry,
        detector: ChangeDetector,
        state: FolderState,
    ) -> None:
        self.detector = detector
        self.state = state
        self._folder = folder
        self._registry = registry
        self._too_long: set[str] = set()
        self._left_out: set[str] = set()
        self._reported: str | None = None

    @classmethod
    async def begin(
        cls,
        scope: WatchScope,
        registry: LocalFilesRegistry,
        notifications: NotificationSource | None,
    ) -> FolderSync:
        """Load the registry. Raises `DatabaseUnavailable`."""
        detector = ChangeDetector(scope, notifications, await registry.load())
        return cls(scope.folder, registry, detector, await registry.state())

    async def everything(self, notified: Notified) -> DetectedChanges:
        """Sync the registry with the whole folder.

        Raises `FolderUnavailable` and `DatabaseUnavailable`; neither leads to wrong deletions.
        """
        self.state = await self._registry.state()
        state = self.state
        detected = await self._scan(lambda: self.detector.check_everything(notified, state))
        await self._registry.write(detected.difference, self.detector.known)
        await self._save_state(detected)
        await self._registry.publish(_problem_in(detected, self._folder))
        self._log(detected)
        return detected

    async def places(self, notified: Notified) -> DetectedChanges:
        """Sync the locations of notifications and of changes that had to wait; raises likewise."""
        state = self.state
        detected = await self._scan(lambda: self.detector.check_places(notified, state))
        await self._registry.write(detected.difference, self.detector.known)
        await self._save_state(detected)
        if detected.held:
            await self._registry.publish(_problem_in(detected, self._folder))
        return detected

    async def report_unavailable(self, error: RagliveError) -> None:
        """Publish that the watched folder is unavailable; log each message once."""
        if error.message != self._reported:
            log.warning("watch_location_unavailable", message=error.message)
            self._reported = error.message
        message = f"{error.message} Until then nothing is deleted from the index."
        await self._registry.publish(WatcherProblem(ErrorCode.WATCH_LOCATION_UNAVAILABLE, message))

    @property
    def needs_frequent_checks(self) -> bool:
        """Whether deletions are held back or approved, so that a change is expected soon."""
        return self.state.deletions_approved or not self.detector.is_certain

    async def _save_state(self, detected: DetectedChanges) -> None:
        if held := self.detector.held:
            state = FolderState(self.state.root or detected.root, held=held)
        elif self.detector.is_certain or self.state.root is None:
            state = FolderState(detected.root)
        else:
            return
        if state != self.state:
            await self._registry.save_state(state)
            self.state = state

    async def _scan(self, scan: Callable[[], DetectedChanges]) -> DetectedChanges:
        """Scan in a thread, and publish a problem while the file system does not respond."""
        scanner, steps = self.detector.scanner, -1
        scanning = asyncio.create_task(asyncio.to_thread(scan))
        try:
            while not (await asyncio.wait({scanning}, timeout=UNRESPONSIVE_SECONDS))[0]:
                if scanner.steps == steps:
                    log.warning("watch_location_unresponsive", folder=str(self._folder))
                    await self._registry.publish(_unresponsive(self._folder))
                steps = scanner.steps
            return scanning.result()
        finally:
            if not scanning.done():
                scanner.stop()
                scanning.cancel()

    def _log(self, detected: DetectedChanges) -> None:
        self._reported = None
        for location in sorted(detected.too_long - self._too_long):
            log.warning("path_too_long", location=location)
        self._too_long = detected.too_long
        if new := sorted(detected.left_out - self._left_out):
            log.warning("links_not_followed", links=new[:10], count=len(new), advice=_LINKS_ADVICE)
        self._left_out = detected.left_out


def _problem_in(detected: DetectedChanges, folder: Path) -> WatcherProblem | None:
    if detected.held:
        return WatcherProblem("deletions_held", _held_message(detected, folder))
    unreadable = sorted(detected.unreadable.items())
    if unreadable and not detected.found_folder_link:
        return WatcherProblem("folder_unreadable", _unreadable_message(unreadable, folder))
    return None


def _held_message(detected: DetectedChanges, folder: Path) -> str:
    count = len(detected.held)
    files = "1 file is" if count == 1 else f"{count} files are"
    example = readable(detected.held[0].location)
    return (
        f"{files} missing below {folder}, among them {example}, and the disk or folder that held "
        "them is not the one that is there now. Nothing was deleted from the index. Mount or "
        "restore it; or, if they are meant to be gone, run `raglive pipeline approve`."
    )


def _unreadable_message(unreadable: list[tuple[str, str]], folder: Path) -> str:
    place, reason = unreadable[0]
    more = f" and {len(unreadable) - 1} more places" if len(unreadable) > 1 else ""
    return (
        f"{readable(f'{folder}/{place}')}{more} cannot be read: {reason}. Files that were indexed "
        "from there stay in the index. Give the pipeline read permission, or exclude the folder "
        "with RAGLIVE_IGNORE_PATTERNS."
    )


def _unresponsive(folder: Path) -> WatcherProblem:
    return WatcherProblem(
        ErrorCode.WATCH_LOCATION_UNAVAILABLE,
        f"{folder} does not respond. Check its disk or network; nothing is deleted from the index.",
    )
