"""Compares the registry with a scan, and recognizes files that were moved. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field

from raglive.sources.local_files.file_version import FileVersion
from raglive.sources.local_files.location import name_of, suffix_of
from raglive.sources.local_files.scan import ScannedFile
from raglive.store.registry.files import KnownFile

__all__ = ["Difference", "Pair", "reconcile"]

Pair = tuple[KnownFile, ScannedFile]
Trait = Callable[[FileVersion, str], Hashable | None]  # of a version at a location


@dataclass(slots=True)
class Difference:
    """The changes between the registry and a scan.

    `moved` files are certainly unchanged. `relocated` files are probably the same, but their
    content must be read again. `renumbered` maps the old to the new number of file systems whose
    number changed while their files stayed the same.
    """

    new: list[ScannedFile] = field(default_factory=list)
    changed: list[Pair] = field(default_factory=list)
    moved: list[Pair] = field(default_factory=list)
    relocated: list[Pair] = field(default_factory=list)
    gone: list[KnownFile] = field(default_factory=list)
    renumbered: dict[int, int] = field(default_factory=dict)


def reconcile(known: Iterable[KnownFile], seen: Iterable[ScannedFile]) -> Difference:
    """Match the registry's files with scanned files of the same locations.

    Files are first matched by inode, size and time, so that two files that swapped their names
    count as two moves; then by location. A file of another suffix that was moved over a file
    replaces its content, as programs do that save to a temporary file: the file at the location
    keeps its id. The rest is matched by the properties that survive a move between file systems,
    or a copy followed by a deletion.
    """
    matching = _Matching(known, seen)
    difference = Difference()
    difference.renumbered = matching.drop_unchanged()
    difference.changed = matching.by(_place_and_identity)
    moved = matching.by(_identity)
    difference.changed += matching.at_place() + matching.replaced(moved)
    difference.moved = moved
    difference.relocated = (
        matching.by(_size_time_name)
        + matching.by(_inode_name)
        + matching.by(_size_time, alone=True)
        + matching.by(_size_name, alone=True)
    )
    difference.gone = list(matching.known.values())
    difference.new = list(matching.seen.values())
    return difference


class _Matching:
    """The files on both sides that are not matched yet."""

    def __init__(self, known: Iterable[KnownFile], seen: Iterable[ScannedFile]) -> None:
        files = sorted(known, key=lambda file: file.file_key)
        self.known = {file.file_key: file for file in files}
        self.seen = {one.location: one for one in seen}
        self._versions = {file.file_key: FileVersion.from_json(file.source) for file in files}

    def drop_unchanged(self) -> dict[int, int]:
        """Match unchanged files; return the file systems that changed their number."""
        renumbered = {}
        for file in list(self.known.values()):
            one, version = self.seen.get(file.location), self._versions[file.file_key]
            if one is not None and version is not None and version.same_as(one.version):
                self._match(file, one)
                if version.volume != one.version.volume:
                    renumbered[version.volume] = one.version.volume
        return renumbered

    def at_place(self) -> list[Pair]:
        """Match by location."""
        pairs = []
        for file in list(self.known.values()):
            one = self.seen.get(file.location)
            if one is not None:
                pairs.append(self._match(file, one))
        return pairs

    def replaced(self, moved: list[Pair]) -> list[Pair]:
        """Take the moves over a known file out of `moved`; return that file's new content."""
        at = {file.location: file for file in self.known.values()}
        pairs = []
        for pair in list(moved):
            mover, one = pair
            target = at.get(one.location)
            if target is not None and suffix_of(mover.location) != suffix_of(one.location):
                moved.remove(pair)
                pairs.append((target, one))
                del self.known[target.file_key]
                self.known[mover.file_key] = mover
        return pairs

    def by(self, trait: Trait, *, alone: bool = False) -> list[Pair]:
        """Match by a property; with `alone`, only where one file on each side has its value."""
        if not self.known or not self.seen:
            return []
        olds, news = self._known_by(trait), self._seen_by(trait)
        pairs = []
        for key in olds.keys() & news.keys() if alone else olds:
            if alone and (len(olds[key]) > 1 or len(news[key]) > 1):
                continue
            pairs += [self._match(*pair) for pair in _pair_up(olds[key], news.get(key, []))]
        return pairs

    def _known_by(self, trait: Trait) -> dict[Hashable, list[KnownFile]]:
        found: dict[Hashable, list[KnownFile]] = defaultdict(list)
        for file in self.known.values():
            version = self._versions[file.file_key]
            key = None if version is None else trait(version, file.location)
            if key is not None:
                found[key].append(file)
        return found

    def _seen_by(self, trait: Trait) -> dict[Hashable, list[ScannedFile]]:
        found: dict[Hashable, list[ScannedFile]] = defaultdict(list)
        for one in self.seen.values():
            key = trait(one.version, one.location)
            if key is not None:
                found[key].append(one)
        return found

    def _match(self, file: KnownFile, one: ScannedFile) -> Pair:
        del self.known[file.file_key]
        del self.seen[one.location]
        return file, one


def _pair_up(olds: list[KnownFile], news: list[ScannedFile]) -> list[Pair]:
    """Pair files with equal properties: first by name, then in alphabetical order."""
    by_name: dict[str, list[ScannedFile]] = defaultdict(list)
    for new in sorted(news, reverse=True):
        by_name[name_of(new.location)].append(new)
    pairs, nameless = [], []
    for old in sorted(olds, key=lambda file: file.location):
        named = by_name[name_of(old.location)]
        if named:
            pairs.append((old, named.pop()))
        else:
            nameless.append(old)
    rest = sorted(new for named in by_name.values() for new in named)
    return pairs + list(zip(nameless, rest, strict=False))


def _place_and_identity(version: FileVersion, location: str) -> Hashable | None:
    return (location, version.identity) if version.identity else None


def _identity(version: FileVersion, _location: str) -> Hashable | None:
    return version.identity


def _size_time_name(version: FileVersion, location: str) -> Hashable | None:
    return (version.size, version.mtime_ns, name_of(location))


def _inode_name(version: FileVersion, location: str) -> Hashable | None:
    return (version.inode, name_of(location)) if version.inode else None


def _size_time(version: FileVersion, _location: str) -> Hashable | None:
    return (version.size, version.mtime_ns) if version.size else None


def _size_name(version: FileVersion, location: str) -> Hashable | None:
    return (version.size, name_of(location)) if version.size else None
