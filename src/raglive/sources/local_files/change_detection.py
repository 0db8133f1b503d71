"""Compares the folder with the registry: which changes to write now, and which must wait."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from raglive.sources.local_files.deletion_guard import LocalDeletionGuard
from raglive.sources.local_files.known_files import KnownFiles
from raglive.sources.local_files.notifications import NotificationSource, Writing
from raglive.sources.local_files.open_files import inodes_open_for_writing
from raglive.sources.local_files.quiet_period import ClockReading, QuietPeriod
from raglive.sources.local_files.reconcile import Difference, Pair, reconcile
from raglive.sources.local_files.scan import Scan, ScannedFile, Scanner
from raglive.sources.local_files.scope import WatchScope
from raglive.sources.local_files.watched_folder import (
    FolderIdentity,
    FolderState,
    identify,
)
from raglive.sources.source import FolderUnavailable
from raglive.store.registry.files import KnownFile

__all__ = ["ChangeDetector", "DetectedChanges"]


@dataclass(slots=True)
class DetectedChanges:
    """The result of a scan. `held` are missing files that must not be deleted.

    `unreadable` maps locations that could not be read to the reason.
    """

    difference: Difference
    root: FolderIdentity
    files: int
    held: list[KnownFile] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    too_long: set[str] = field(default_factory=set)
    left_out: set[str] = field(default_factory=set)
    found_folder_link: bool = False


class ChangeDetector:
    """Scans the folder and remembers changes that are not certain yet. Not thread-safe."""

    def __init__(
        self,
        scope: WatchScope,
        notifications: NotificationSource | None,
        known: KnownFiles,
    ) -> None:
        self.known = known
        self._folder = scope.folder
        self._notifications = notifications
        watch = notifications.watch_folder if notifications is not None else _do_not_watch
        self.scanner = Scanner(scope, watch)
        self._quiet_period = QuietPeriod()
        self._deletions = LocalDeletionGuard(scope.folder, known)

    @property
    def is_certain(self) -> bool:
        """Whether every missing file has been deleted from the registry."""
        return not self._deletions.has_missing

    @property
    def held(self) -> int:
        """How many missing files are held back."""
        return self._deletions.held

    def check_everything(
        self, notified: Mapping[str, Writing | None], state: FolderState
    ) -> DetectedChanges:
        """Scan the whole folder. Raises `FolderUnavailable` when it cannot be read."""
        root = identify(self._folder)
        try:
            scan = self.scanner.everything()
        except OSError as error:
            identify(self._folder)
            raise FolderUnavailable(f"{self._folder} cannot be read: {error.strerror}.") from error
        self._require_same_folder(root, scan)
        if self._notifications is not None:
            self._notifications.end_scan(scan.folders)
        known = [file for file in self.known if not scan.hides(file.location)]
        difference = reconcile(known, scan.files.values())
        self._deletions.renumbered = difference.renumbered
        return self._conclude(root, scan, difference, notified, state)

    def check_places(
        self, notified: Mapping[str, Writing | None], state: FolderState
    ) -> DetectedChanges:
        """Scan the places of notifications, and those with changes that had to wait."""
        root = identify(self._folder)
        due = self._quiet_period.due(time.monotonic())
        scan = self.scanner.look({*notified, *due, *self._deletions.locations_to_check()})
        known = self.known.within(scan.looked_at)
        elsewhere = self._possible_origins(scan, {file.file_key for file in known})
        if elsewhere:
            scan.add(self.scanner.look(elsewhere))
            known = self.known.within(scan.looked_at)
        self._require_same_folder(root, scan)
        known = [file for file in known if not scan.hides(file.location)]
        difference = reconcile(known, scan.files.values())
        return self._conclude(root, scan, difference, notified, state)

    def next_due(self) -> float | None:
        """Return when to check the uncertain changes again, by the monotonic clock."""
        candidates = (self._quiet_period.next_due(), self._deletions.next_due())
        return min((due for due in candidates if due is not None), default=None)

    def _conclude(
        self,
        root: FolderIdentity,
        scan: Scan,
        difference: Difference,
        notified: Mapping[str, Writing | None],
        state: FolderState,
    ) -> DetectedChanges:
        now = ClockReading(time.monotonic(), time.time_ns())
        relocating = self._postpone_unstable(difference, scan, notified, now)
        self._deletions.postpone_recent(difference, scan, relocating, now.monotonic)
        held = self._deletions.hold_back(difference, root, state)
        return DetectedChanges(
            difference,
            root,
            files=len(scan.files),
            held=held,
            unreadable=scan.unreadable,
            too_long=scan.too_long,
            left_out=scan.left_out,
            found_folder_link=scan.found_folder_link,
        )

    def _require_same_folder(self, root: FolderIdentity, scan: Scan) -> None:
        """Discard a scan during which the watched folder was replaced."""
        if identify(self._folder) != root:
            raise FolderUnavailable(f"{self._folder} was replaced while it was read.")
        if "" in scan.unreadable:
            raise FolderUnavailable(f"{self._folder} cannot be read: {scan.unreadable['']}.")

    def _possible_origins(self, scan: Scan, in_scope: set[int]) -> set[str]:
        """Return locations outside of the scan from which its files may have been moved."""
        return {
            file.location
            for scanned in scan.files.values()
            for file in self.known.same_identity(scanned.version)
            if file.file_key not in in_scope
        }

    def _postpone_unstable(
        self,
        difference: Difference,
        scan: Scan,
        notified: Mapping[str, Writing | None],
        now: ClockReading,
    ) -> dict[int, str]:
        """Remove files that are still being written; return those that may have moved, by key."""
        waiting: set[str] = set()
        written: set[int] | None = None

        def writing(scanned: ScannedFile) -> Writing | None:
            nonlocal written
            known = notified.get(scanned.location)
            if known is not None or not self._quiet_period.needs_writer(scanned, now):
                return known
            if written is None:
                written = inodes_open_for_writing()
            return Writing.WRITTEN if scanned.version.inode in written else None

        def is_stable(scanned: ScannedFile) -> bool:
            if self._quiet_period.is_over(scanned, writing(scanned), now):
                return True
            waiting.add(scanned.location)
            return False

        def stable_pairs(pairs: list[Pair]) -> list[Pair]:
            return [pair for pair in pairs if is_stable(pair[1])]

        difference.new = [scanned for scanned in difference.new if is_stable(scanned)]
        difference.changed = stable_pairs(difference.changed)
        relocated = difference.relocated
        difference.relocated = stable_pairs(relocated)
        self._quiet_period.keep(lambda place: place in waiting or not scan.covers(place))
        return {
            file.file_key: scanned.location
            for file, scanned in relocated
            if scanned.location in waiting
        }


def _do_not_watch(_path: str, _location: str) -> None:
    """Ignore the folder: a single check needs no notifications."""
