"""The pipeline's files as the registry has them, held in memory by place and by identity."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

from raglive.sources.local_files.location import parent_of
from raglive.sources.local_files.version import Version
from raglive.store.registry.files import KnownFile, ObservedFile
from raglive.store.registry.pipelines import PipelineRecord

__all__ = ["KnownFiles"]

Identity = tuple[int, int, int]
Key = TypeVar("Key")
Member = TypeVar("Member")

_KEYS = "SELECT file_id, file_key FROM raglive.files WHERE pipeline_key = $1 AND file_id = ANY ($2)"


class KnownFiles:
    """What the watcher believes that the registry says; only the watcher changes either."""

    def __init__(self, files: Iterable[KnownFile] = ()) -> None:
        self._files: dict[int, KnownFile] = {}
        self._at: dict[str, set[int]] = defaultdict(set)
        self._same: dict[Identity, set[int]] = defaultdict(set)
        self._inside: dict[str, set[str]] = defaultdict(set)  # by folder: what lies in it
        for file in files:
            self.put(file)

    def __len__(self) -> int:
        return len(self._files)

    def __iter__(self) -> Iterator[KnownFile]:
        return iter(self._files.values())

    def get(self, file_key: int) -> KnownFile | None:
        """Return a file, None when it is not known."""
        return self._files.get(file_key)

    def put(self, file: KnownFile) -> None:
        """Take up a file, or how it is now."""
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
        """Forget a file."""
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
        """Return the files at these places, and beneath them."""
        found: dict[int, KnownFile] = {}
        pending = list(places)
        while pending:
            place = pending.pop()
            for key in self._at.get(place, ()):
                found[key] = self._files[key]
            pending.extend(self._inside.get(place, ()))
        return list(found.values())

    def alike(self, version: Version) -> list[KnownFile]:
        """Return the files that have the identity of this version."""
        identity = version.identity
        keys = self._same.get(identity, ()) if identity is not None else ()
        return [self._files[key] for key in keys]

    async def put_new(self, record: PipelineRecord, observed: Sequence[ObservedFile]) -> None:
        """Take up files that were just written to the registry."""
        rows = await record.database.fetch(_KEYS, record.key, [one.file_id for one in observed])
        keys = {row["file_id"]: row["file_key"] for row in rows}
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
    version = Version.kept_in(file.source)
    return None if version is None else version.identity


def _discard(sets: dict[Key, set[Member]], key: Key, value: Member) -> None:
    members = sets.get(key)
    if members is not None:
        members.discard(value)
        if not members:
            del sets[key]
