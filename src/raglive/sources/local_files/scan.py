"""What lies in the watched folder now: the truth that everything else is held against."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import NamedTuple

from raglive.sources.local_files.ignore import IgnoreRules
from raglive.sources.local_files.location import beneath, path_of, to_location
from raglive.sources.local_files.version import Version
from raglive.sources.local_files.volumes import Volumes

__all__ = ["Scan", "ScanStopped", "Scanner", "Seen"]

LONGEST_LOCATION_BYTES = 2600  # what an index of the database can hold
_GONE = (FileNotFoundError, NotADirectoryError)

WatchFolder = Callable[[str, str], None]


class ScanStopped(Exception):
    """The watcher ended while its scan was under way."""


class Seen(NamedTuple):
    """A file that is there."""

    location: str
    version: Version


@dataclass(slots=True)
class Scan:
    """What a scan saw. Of what is `unseen`, nothing is known: neither there nor gone."""

    looked_at: set[str]
    files: dict[str, Seen] = field(default_factory=dict)
    folders: set[str] = field(default_factory=set)
    unseen: dict[str, str] = field(default_factory=dict)
    too_long: set[str] = field(default_factory=set)
    met_link: bool = False  # to a folder: only a full scan can tell whether to follow it

    def covers(self, location: str) -> bool:
        """Say whether a location was among those looked at."""
        return location in self.looked_at or beneath(location, self.looked_at)

    def hides(self, location: str) -> bool:
        """Say whether a location could not be read."""
        return bool(self.unseen) and (location in self.unseen or beneath(location, self.unseen))

    def add(self, other: Scan) -> None:
        """Take up what another scan saw."""
        self.looked_at |= other.looked_at
        self.files |= other.files
        self.folders |= other.folders
        self.unseen |= other.unseen
        self.too_long |= other.too_long
        self.met_link |= other.met_link


class Scanner:
    """Scans the folder, or places in it. For one thread.

    Links to files are files. Links to folders are followed, each folder being entered once, where
    it lies rather than where a link shows it. `watch_folder(path, location)` is called before a
    folder is read, so that no change falls between.
    """

    def __init__(self, root: Path, rules: IgnoreRules, watch_folder: WatchFolder) -> None:
        self._root = root
        self._rules = rules
        self._watch_folder = watch_folder
        self._stopped = Event()
        self.volumes = Volumes()
        self.steps = 0  # grows while the file system answers

    def stop(self) -> None:
        """End a running scan, and every later one; for any thread."""
        self._stopped.set()

    def everything(self) -> Scan:
        """Return all that is there; raise `OSError` when the watched folder cannot be read."""
        self.volumes = Volumes()
        with os.scandir(self._root):
            pass
        scan = Scan({""})
        entered: set[tuple[int, int]] = set()
        links = self._walk("", scan, entered, follow=False)
        while links:
            further: list[str] = []
            for link in sorted(links):
                if not self._rules.leaves_out_path(link, is_folder=True):
                    further += self._walk(link, scan, entered, follow=True)
            links = further
        return scan

    def look(self, locations: Iterable[str]) -> Scan:
        """Return what is at these locations, and beneath them."""
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
            if is_link:
                status = os.stat(path)  # noqa: PTH116 - a Path for each costs time
            is_folder = stat.S_ISDIR(status.st_mode)
            if self._rules.leaves_out_path(location, is_folder=is_folder):
                return
            if is_folder and is_link:
                scan.met_link = True
                scan.unseen[location] = "a link"
            elif is_folder:
                self._walk(location, scan, set(), follow=False)
            elif stat.S_ISREG(status.st_mode):
                self._add(location, path, status, scan)
        except OSError as error:
            _note_unreadable(error, location, scan)

    def _walk(
        self, start: str, scan: Scan, entered: set[tuple[int, int]], *, follow: bool
    ) -> list[str]:
        """Read a folder and all below it; return the links to folders found on the way."""
        links: list[str] = []
        pending = [start]
        while pending:
            location = pending.pop()
            path = str(path_of(self._root, location))
            try:
                status = os.stat(path)  # noqa: PTH116 - a Path for each costs time
                folder = (status.st_dev, status.st_ino)
                if follow and folder in entered:
                    continue
                entered.add(folder)
                self.volumes.of(status.st_dev, path)
                self._watch_folder(path, location)
                self._read(path, location, scan, pending, links)
                scan.folders.add(location)
            except OSError as error:
                _note_unreadable(error, location, scan)
        if links and not follow and scan.looked_at != {""}:
            scan.met_link = True
            scan.unseen |= dict.fromkeys(links, "a link")
        return links

    def _read(
        self, path: str, location: str, scan: Scan, pending: list[str], links: list[str]
    ) -> None:
        if self._stopped.is_set():
            raise ScanStopped
        self.steps += 1
        prefix = f"{location}/" if location else ""
        with os.scandir(path) as entries:
            for entry in entries:
                name = to_location(entry.name)
                place = prefix + name
                try:
                    kind = self._take(entry, name, place, scan)
                except OSError as error:
                    _note_unreadable(error, place, scan)
                    continue
                if kind == "folder":
                    pending.append(place)
                elif kind == "link":
                    links.append(place)

    def _take(self, entry: os.DirEntry[str], name: str, place: str, scan: Scan) -> str:
        """Note a file; return what else it is."""
        is_folder = entry.is_dir(follow_symlinks=False)
        if self._rules.leaves_out(place, name, is_folder=is_folder):
            return "left out"
        if is_folder:
            return "folder"
        status = entry.stat(follow_symlinks=True)
        if stat.S_ISREG(status.st_mode):
            self._add(place, entry.path, status, scan)
            return "file"
        return "link" if stat.S_ISDIR(status.st_mode) else "special"

    def _add(self, location: str, path: str, status: os.stat_result, scan: Scan) -> None:
        if len(location) * 3 > LONGEST_LOCATION_BYTES < len(location.encode()):
            scan.too_long.add(location)
            return
        volume = self.volumes.of(status.st_dev, path)
        scan.files[location] = Seen(location, Version.of(status, volume))


def _note_unreadable(error: OSError, location: str, scan: Scan) -> None:
    """What is not there is simply not seen; what cannot be read is neither there nor gone."""
    if isinstance(error, _GONE) or error.errno == errno.ELOOP:
        return
    scan.unseen[location] = error.strerror or type(error).__name__
