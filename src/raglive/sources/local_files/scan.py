"""Scans the watched folder, completely or in parts."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from threading import Event
from typing import NamedTuple

from raglive.sources.local_files.file_version import FileVersion
from raglive.sources.local_files.location import beneath, name_of, path_of, to_location
from raglive.sources.local_files.scope import WatchScope
from raglive.sources.local_files.volumes import Volumes, number_of

__all__ = ["Scan", "ScanStopped", "ScannedFile", "Scanner"]

MAX_LOCATION_BYTES = 2600  # the limit of the database's index
_GONE = (FileNotFoundError, NotADirectoryError)

WatchFolder = Callable[[str, str], None]


class ScanStopped(Exception):
    """The watcher ended during the scan."""


class ScannedFile(NamedTuple):
    """A file that the scan found."""

    location: str
    version: FileVersion


class _Folder(NamedTuple):
    """A folder that is read; `link_volume` holds the link through which it is reached, or is 0."""

    path: str
    location: str
    volume: int
    link_volume: int


@dataclass(slots=True)
class Scan:
    """The files and folders at the locations in `looked_at`.

    Nothing is known about `unreadable` locations: their files are neither present nor deleted.
    """

    looked_at: set[str]
    files: dict[str, ScannedFile] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    unreadable: dict[str, str] = field(default_factory=dict)
    too_long: set[str] = field(default_factory=set)
    left_out: set[str] = field(default_factory=set)  # links, and folders that hold secrets
    found_folder_link: bool = False  # only a full scan can decide whether to follow it

    def covers(self, location: str) -> bool:
        """Check whether the scan included a location."""
        return location in self.looked_at or beneath(location, self.looked_at)

    def hides(self, location: str) -> bool:
        """Check whether a location, or a folder above it, could not be read."""
        return bool(self.unreadable) and (
            location in self.unreadable or beneath(location, self.unreadable)
        )

    def add(self, other: Scan) -> None:
        """Merge another scan into this one."""
        self.looked_at |= other.looked_at
        self.files |= other.files
        self.folders |= other.folders
        self.unreadable |= other.unreadable
        self.too_long |= other.too_long
        self.left_out |= other.left_out
        self.found_folder_link |= other.found_folder_link


class Scanner:
    """Scans the folder or parts of it. Not thread-safe, except for `stop`.

    Links to files count as files. Links to folders are followed, but each folder is read once, at
    its own location if that is in the watched folder. Links that the scope does not admit, and
    folders that hold secrets, are left out. `watch_folder(path, location)` is called
    before a folder is read, so that no change between scan and watch is missed.
    """

    def __init__(self, scope: WatchScope, watch_folder: WatchFolder) -> None:
        self._scope = scope
        self._root = scope.folder
        self._rules = scope.rules
        self._watch_folder = watch_folder
        self._stopped = Event()
        self.volumes = Volumes()
        self.steps = 0  # increases while the file system responds

    def stop(self) -> None:
        """Make the current and every later scan raise `ScanStopped`. Thread-safe."""
        self._stopped.set()

    def everything(self) -> Scan:
        """Scan the whole folder. Raises `OSError` if the watched folder itself cannot be read."""
        self.volumes = Volumes()
        with os.scandir(self._root):
            pass
        scan = Scan({""})
        entered: set[tuple[int, int]] = set()
        links = self._walk("", scan, entered, follow=False)
        while links:
            further: dict[str, int] = {}
            for link, volume in sorted(links.items()):
                if not self._rules.ignores_path(link, is_folder=True):
                    further |= self._walk(link, scan, entered, follow=True, link_volume=volume)
            links = further
        return scan

    def look(self, locations: Iterable[str]) -> Scan:
        """Scan these locations and everything below them."""
        asked = set(locations)
        scan = Scan({location for location in asked if not beneath(location, asked)})
        for location in scan.looked_at:
            self._look_at(location, scan)
        return scan

    def _look_at(self, location: str, scan: Scan) -> None:
        path = str(path_of(self._root, location))
        try:
            status = os.lstat(path)
            is_link = stat.S_ISLNK(status.st_mode)
            if not self._admits(path, location, scan):
                return
            if is_link:
                status = os.stat(path)  # noqa: PTH116 - faster than a Path for each
            is_folder = stat.S_ISDIR(status.st_mode)
            if self._rules.ignores_path(location, is_folder=is_folder):
                return
            if is_folder and is_link:
                scan.found_folder_link = True
                scan.unreadable[location] = "a link"
            elif is_folder:
                link_volume = self._link_volume(location)
                self._walk(location, scan, set(), follow=False, link_volume=link_volume)
            elif stat.S_ISREG(status.st_mode):
                self._add(location, path, status, scan, self._link_volume(location))
        except OSError as error:
            _note_unreadable(error, location, scan)

    def _link_volume(self, location: str) -> int:
        """Return the file system that holds the last link on the way; 0 without a link."""
        found, path = 0, self._root
        for name in path_of(self._root, location).relative_to(self._root).parts:
            folder, path = path, path / name
            if path.is_symlink():
                found = number_of(folder.stat().st_dev, str(folder))
        return found

    def _walk(
        self,
        start: str,
        scan: Scan,
        entered: set[tuple[int, int]],
        *,
        follow: bool,
        link_volume: int = 0,
    ) -> dict[str, int]:
        """Scan a folder and everything below it.

        Returns the links to folders that it contains, each with the number of its file system.
        `link_volume` is that of the link through which the folder itself is reached.
        """
        links: dict[str, int] = {}
        pending = [start]
        while pending:
            location = pending.pop()
            path = str(path_of(self._root, location))
            try:
                status = os.stat(path)  # noqa: PTH116 - faster than a Path for each
                folder = (status.st_dev, status.st_ino)
                if follow and folder in entered:
                    continue
                entered.add(folder)
                if self._scope.is_private(path):
                    scan.left_out.add(location)
                    continue
                volume = self.volumes.of(status.st_dev, path).number
                self._watch_folder(path, location)
                self._read(_Folder(path, location, volume, link_volume), scan, pending, links)
                scan.folders.add(location)
            except OSError as error:
                _note_unreadable(error, location, scan)
        if links and not follow and scan.looked_at != {""}:
            scan.found_folder_link = True
            scan.unreadable |= dict.fromkeys(links, "a link")
        return links

    def _read(self, folder: _Folder, scan: Scan, pending: list[str], links: dict[str, int]) -> None:
        if self._stopped.is_set():
            raise ScanStopped
        self.steps += 1
        prefix = f"{folder.location}/" if folder.location else ""
        with os.scandir(folder.path) as entries:
            for entry in entries:
                place = prefix + to_location(entry.name)
                try:
                    kind = self._classify(entry, folder, place, scan)
                except OSError as error:
                    _note_unreadable(error, place, scan)
                    continue
                if kind == "folder":
                    pending.append(place)
                elif kind == "link":
                    links[place] = folder.volume

    def _classify(self, entry: os.DirEntry[str], folder: _Folder, place: str, scan: Scan) -> str:
        """Add a file to the scan; return the kind of entry."""
        is_folder = entry.is_dir(follow_symlinks=False)
        if self._rules.ignores(place, name_of(place), is_folder=is_folder):
            return "ignored"
        if is_folder:
            return "folder"
        is_link = entry.is_symlink()
        if is_link and not self._admits(entry.path, place, scan):
            return "left out"
        status = entry.stat(follow_symlinks=True)
        if stat.S_ISREG(status.st_mode):
            link_volume = folder.volume if is_link else folder.link_volume
            self._add(place, entry.path, status, scan, link_volume)
            return "file"
        return "link" if stat.S_ISDIR(status.st_mode) else "special"

    def _admits(self, path: str, location: str, scan: Scan) -> bool:
        if self._scope.admits(path):
            return True
        scan.left_out.add(location)
        return False

    def _add(
        self, location: str, path: str, status: os.stat_result, scan: Scan, link_volume: int
    ) -> None:
        if len(location) * 3 > MAX_LOCATION_BYTES < len(location.encode()):
            scan.too_long.add(location)
            return
        volume = self.volumes.of(status.st_dev, path)
        scan.files[location] = ScannedFile(location, FileVersion.of(status, volume, link_volume))


def _note_unreadable(error: OSError, location: str, scan: Scan) -> None:
    """Record a location that exists but cannot be read; one that vanished is not an error."""
    if isinstance(error, _GONE) or error.errno == errno.ELOOP:
        return
    scan.unreadable[location] = error.strerror or type(error).__name__
