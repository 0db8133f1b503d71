"""How the folder differs from the registry, and which files only changed their place. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass, field

from raglive.sources.local_files.location import name_of
from raglive.sources.local_files.scan import Seen
from raglive.sources.local_files.version import Version
from raglive.store.registry.files import KnownFile

__all__ = ["Difference", "Pair", "reconcile"]

Pair = tuple[KnownFile, Seen]


@dataclass(slots=True)
class Difference:
    """What became of each file that was known, and of each that is there.

    `moved` are certainly the same, unchanged; `carried` are the same by all that a listing can
    tell, so that their content must be looked at again. `renumbered` are file systems whose number
    is another than it was, while their files are the same.
    """

    new: list[Seen] = field(default_factory=list)
    changed: list[Pair] = field(default_factory=list)
    moved: list[Pair] = field(default_factory=list)
    carried: list[Pair] = field(default_factory=list)
    gone: list[KnownFile] = field(default_factory=list)
    renumbered: dict[int, int] = field(default_factory=dict)


def reconcile(known: Iterable[KnownFile], seen: Iterable[Seen]) -> Difference:
    """Compare what is known with what was seen of the same places.

    A file that was renamed is found again by its inode, size and time, whoever holds its old name
    now; so two files that swapped their names are two moves. Next its place decides. What is left
    over is matched by what a move between file systems, or a copy and a deletion, leave the same.
    """
    matching = _Matching(known, seen)
    difference = Difference()
    difference.renumbered = matching.drop_unchanged()
    difference.moved = matching.by(_identity)
    difference.changed = matching.at_place()
    difference.carried = (
        matching.by(_size_time_name)
        + matching.by(_inode_name)
        + matching.by(_size_time, alone=True)
        + matching.by(_size_name, alone=True)
    )
    difference.gone = list(matching.known.values())
    difference.new = list(matching.seen.values())
    return difference


class _Matching:
    """What is not matched yet, on both sides."""

    def __init__(self, known: Iterable[KnownFile], seen: Iterable[Seen]) -> None:
        files = sorted(known, key=lambda file: file.file_key)
        self.known = {file.file_key: file for file in files}
        self.seen = {one.location: one for one in seen}
        self._versions = {file.file_key: Version.kept_in(file.source) for file in files}

    def drop_unchanged(self) -> dict[int, int]:
        """Leave out what is as it was; return its file systems that have another number now."""
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

    def by(
        self, trait: Callable[[Version, str], Hashable | None], *, alone: bool = False
    ) -> list[Pair]:
        """Match by a trait; with `alone`, only where one file on each side has it."""
        if not self.known or not self.seen:
            return []
        olds, news = self._known_by(trait), self._seen_by(trait)
        pairs = []
        for key in olds.keys() & news.keys() if alone else olds:
            if alone and (len(olds[key]) > 1 or len(news[key]) > 1):
                continue
            pairs += [self._match(*pair) for pair in _pair_up(olds[key], news.get(key, []))]
        return pairs

    def _known_by(
        self, trait: Callable[[Version, str], Hashable | None]
    ) -> dict[Hashable, list[KnownFile]]:
        found: dict[Hashable, list[KnownFile]] = defaultdict(list)
        for file in self.known.values():
            version = self._versions[file.file_key]
            key = None if version is None else trait(version, name_of(file.location))
            if key is not None:
                found[key].append(file)
        return found

    def _seen_by(
        self, trait: Callable[[Version, str], Hashable | None]
    ) -> dict[Hashable, list[Seen]]:
        found: dict[Hashable, list[Seen]] = defaultdict(list)
        for one in self.seen.values():
            key = trait(one.version, name_of(one.location))
            if key is not None:
                found[key].append(one)
        return found

    def _match(self, file: KnownFile, one: Seen) -> Pair:
        del self.known[file.file_key]
        del self.seen[one.location]
        return file, one


def _pair_up(olds: list[KnownFile], news: list[Seen]) -> list[Pair]:
    """Pair files that cannot be told apart: first those of one name, then in order."""
    by_name: dict[str, list[Seen]] = defaultdict(list)
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


def _identity(version: Version, _name: str) -> Hashable | None:
    return version.identity


def _size_time_name(version: Version, name: str) -> Hashable | None:
    return (version.size, version.mtime_ns, name)


def _inode_name(version: Version, name: str) -> Hashable | None:
    return (version.inode, name) if version.inode else None


def _size_time(version: Version, _name: str) -> Hashable | None:
    return (version.size, version.mtime_ns) if version.size else None


def _size_name(version: Version, name: str) -> Hashable | None:
    return (version.size, name) if version.size else None
