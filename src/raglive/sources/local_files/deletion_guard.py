"""Decides which missing files may be deleted from the index, and which are held back.

A file that is missing for a moment is being saved or moved. Files that are missing because their
file system is not mounted, or because the watched folder is another one, are held back until
somebody approves the deletions.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from raglive.sources.local_files.file_version import FileVersion
from raglive.sources.local_files.known_files import KnownFiles
from raglive.sources.local_files.location import parent_of, path_of
from raglive.sources.local_files.reconcile import Difference
from raglive.sources.local_files.scan import Scan
from raglive.sources.local_files.volumes import number_of
from raglive.sources.local_files.watched_folder import FolderIdentity, FolderState
from raglive.store.registry.files import KnownFile

__all__ = ["MISSING_SECONDS", "LocalDeletionGuard"]

# Editors remove a file for a moment when they save it, and the notification of a move's target
# comes after that of its origin.
MISSING_SECONDS = 0.5


class LocalDeletionGuard:
    """Remembers which files are missing, since when, and which of them are held back."""

    def __init__(self, folder: Path, known: KnownFiles) -> None:
        self._folder = folder
        self._known = known
        self._missing: dict[int, float] = {}  # since when, by file key
        self._held: set[int] = set()
        self._relocating: dict[int, str] = {}  # new location that is not stable yet, by file key
        self.renumbered: dict[int, int] = {}  # new number of a file system, by its old number

    @property
    def has_missing(self) -> bool:
        """Whether a file is missing whose deletion is not decided yet, or held back."""
        return any(self._known.get(key) for key in self._missing)

    @property
    def held(self) -> int:
        """How many files are held back."""
        return sum(self._known.get(key) is not None for key in self._held)

    def next_due(self) -> float | None:
        """Return when the next deletion can be confirmed, by the monotonic clock."""
        awaited = [key for key in self._missing.keys() - self._held if self._known.get(key)]
        if not awaited:
            return None
        return min(self._missing[key] for key in awaited) + MISSING_SECONDS

    def locations_to_check(self) -> set[str]:
        """Return the locations of missing files, and those that they may have moved to."""
        lost = [self._known.get(key) for key in self._missing.keys() - self._held]
        locations = {file.location for file in lost if file is not None}
        return locations | set(self._relocating.values()) if locations else locations

    def postpone_recent(
        self, difference: Difference, scan: Scan, relocating: dict[int, str], now: float
    ) -> None:
        """Remove files from `difference.gone` that have only been missing for a moment.

        `relocating` are files that may have moved to a location whose content is not stable yet.
        """
        self._relocating = relocating
        taken = {scanned.location for _, scanned in difference.moved}
        missing = {
            key: since for key, since in self._missing.items() if self._is_outside(key, scan)
        }
        missing |= dict.fromkeys(relocating, now)
        confirmed = []
        for file in difference.gone:
            since = self._missing.get(file.file_key, now)
            if file.location in taken or now - since >= MISSING_SECONDS:
                confirmed.append(file)
            missing[file.file_key] = since
        difference.gone = confirmed
        self._missing = missing
        self._held &= missing.keys()

    def hold_back(
        self, difference: Difference, root: FolderIdentity, state: FolderState
    ) -> list[KnownFile]:
        """Remove files from `difference.gone` whose file system or folder is absent; return them.

        Nothing is held back if the deletion of so many files is approved.
        """
        if not difference.gone:
            return []
        if _is_same_folder(state.root, root, self.renumbered):
            held = _on_absent_volume(self._folder, difference.gone, self.renumbered)
        else:
            held = difference.gone
        if state.deletions_approved and len(held) <= state.held:
            return []
        keys = {file.file_key for file in held}
        self._held |= keys
        difference.gone = [file for file in difference.gone if file.file_key not in keys]
        return held

    def _is_outside(self, file_key: int, scan: Scan) -> bool:
        file = self._known.get(file_key)
        return file is not None and not scan.covers(file.location)


def _is_same_folder(
    before: FolderIdentity | None, now: FolderIdentity, renumbered: Mapping[int, int]
) -> bool:
    if before is None or before == now:
        return True
    return before.inode == now.inode and renumbered.get(before.volume) == now.volume


def _on_absent_volume(
    folder: Path, gone: Iterable[KnownFile], renumbered: Mapping[int, int]
) -> list[KnownFile]:
    """Return the missing files whose file system is not mounted at their location.

    A file that was reached through a link is not missing because of its file system when the link
    was removed from a file system that is mounted.
    """
    present = _nearest_volume(folder)
    absent = []
    for file in gone:
        version = FileVersion.from_json(file.source)
        if version is None:
            continue
        expected = {version.volume}
        target = _broken_link_target(folder, file.location) if version.link_volume else None
        if target is not None:
            volume = _volume_above(target)
        else:
            volume = present(parent_of(file.location))
            expected |= {version.link_volume} - {0}
        if volume not in expected | {renumbered.get(number) for number in expected} - {None}:
            absent.append(file)
    return absent


def _broken_link_target(folder: Path, location: str) -> Path | None:
    """Return the target of the first link on a file's way that leads nowhere."""
    path = folder
    for name in path_of(folder, location).relative_to(folder).parts:
        path /= name
        if path.is_symlink() and not path.exists():
            return Path(os.path.realpath(path))
    return None


def _volume_above(path: Path) -> int | None:
    """Return the file system of the nearest existing folder above a path."""
    for above in path.parents:
        with contextlib.suppress(OSError):
            return number_of(above.stat().st_dev, str(above))
    return None


def _nearest_volume(folder: Path) -> Callable[[str], int | None]:
    """Return a function that finds the file system of a location's nearest existing folder."""
    found: dict[str, int | None] = {}

    def volume(location: str) -> int | None:
        if location not in found:
            path = path_of(folder, location)
            try:
                found[location] = number_of(path.stat().st_dev, str(path))
            except OSError:
                found[location] = volume(parent_of(location)) if location else None
        return found[location]

    return volume
