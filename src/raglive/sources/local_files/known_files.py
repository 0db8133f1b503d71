"""The registry's files in memory, indexed by location, by folder and by identity."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TypeVar

from raglive.sources.local_files.file_version import FileVersion
from raglive.sources.local_files.location import parent_of
from raglive.store.registry.files import KnownFile, ObservedFile

__all__ = ["KnownFiles"]

Identity = tuple[int, int, int]
Key = TypeVar("Key")
Member = TypeVar("Member")


class KnownFiles:
    """A copy of the registry. Only the watcher writes to either, so that both stay equal."""

    def __init__(self, files: Iterable[KnownFile] = ()) -> None:
        self._files: dict[int, KnownFile] = {}
        self._at: dict[str, set[int]] = defaultdict(set)
        self._same: dict[Identity, set[int]] = defaultdict(set)
        self._inside: dict[str, set[str]] = defaultdict(set)  # files and folders in each folder
        for file in files:
            self.put(file)

    def __len__(self) -> int:
        return len(self._files)

    def __iter__(self) -> Iterator[KnownFile]:
        return iter(self._files.values())

    def get(self, file_key: int) -> KnownFile | None:
        """Return a file, None for an unknown key."""
        return self._files.get(file_key)

    def put(self, file: KnownFile) -> None:
        """Add a file, or replace it by its new version."""
        self.drop(file.file_key)
        self._files[file.file_key] = file
        self._at[file.location].add(file.file_key)
        identity = _identity(file)
        if identity is not None:
            self._same[identity].add(file.file_key)
        place = file.location
        while place:
            siblings = self._inside[parent_of(place)]
            if place in siblings:
                break
            siblings.add(place)
            place = parent_of(place)

    def drop(self, file_key: int) -> None:
        """Remove a file; an unknown key is ignored."""
        file = self._files.pop(file_key, None)
        if file is None:
            return
        _discard(self._at, file.location, file_key)
        identity = _identity(file)
        if identity is not None:
            _discard(self._same, identity, file_key)
        place = file.location
        while place and place not in self._at and place not in self._inside:
            _discard(self._inside, parent_of(place), place)
            place = parent_of(place)

    def within(self, places: Iterable[str]) -> list[KnownFile]:
        """Return the files at these locations and below them."""
        found: dict[int, KnownFile] = {}
        pending = list(places)
        while pending:
            place = pending.pop()
            for key in self._at.get(place, ()):
                found[key] = self._files[key]
            pending.extend(self._inside.get(place, ()))
        return list(found.values())

    def same_identity(self, version: FileVersion) -> list[KnownFile]:
        """Return the files with the inode, size and modification time of this version."""
        identity = version.identity
        keys = self._same.get(identity, ()) if identity is not None else ()
        return [self._files[key] for key in keys]

    def put_new(self, observed: Sequence[ObservedFile], keys: Mapping[str, int]) -> None:
        """Add files that were just written to the registry, with their keys by file id."""
        for one in observed:
            if one.file_id not in keys:
                continue
            self.put(
                KnownFile(
                    file_key=keys[one.file_id],
                    file_id=one.file_id,
                    location=one.location,
                    name=one.name,
                    folder=one.folder,
                    size_bytes=one.size_bytes,
                    state="queued",
                    source=one.source,
                )
            )


def _identity(file: KnownFile) -> Identity | None:
    version = FileVersion.from_json(file.source)
    return None if version is None else version.identity


def _discard(sets: dict[Key, set[Member]], key: Key, value: Member) -> None:
    members = sets.get(key)
    if members is not None:
        members.discard(value)
        if not members:
            del sets[key]
