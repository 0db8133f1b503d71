"""Reads and writes the registry for the watcher of a folder."""

from __future__ import annotations

import asyncio
import mimetypes
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from uuid6 import uuid7

from raglive.sources.local_files.known_files import KnownFiles
from raglive.sources.local_files.location import name_of, parent_of, path_of, readable
from raglive.sources.local_files.reconcile import Difference, Pair
from raglive.sources.local_files.scan import ScannedFile
from raglive.sources.local_files.watched_folder import FolderState
from raglive.sources.problems import ProblemPublisher, WatcherProblem
from raglive.store.errors import retry_transient
from raglive.store.registry.files import FileChanges, KnownFile, ObservedFile, Registry
from raglive.store.registry.pipelines import PipelineRecord

__all__ = ["LocalFilesRegistry", "as_known", "portions"]

ROWS_PER_TRANSACTION = 500
MAX_URL_CHARS = 8192

Row = TypeVar("Row")


class LocalFilesRegistry:
    """Reads and writes the registry; every method retries while the database is unavailable.

    Each raises `DatabaseUnavailable` after a minute. The content of the registry is then unknown,
    so load it again.
    """

    def __init__(self, record: PipelineRecord, folder: Path, on_queued: Callable[[], None]) -> None:
        self._record = record
        self._folder = folder
        self._on_queued = on_queued
        self._registry = Registry(record)
        self._problems = ProblemPublisher(record)

    async def load(self) -> KnownFiles:
        """Return the files in the registry."""
        files = await retry_transient(self._registry.known, what="reading the registry")
        return await asyncio.to_thread(KnownFiles, files)

    async def write(self, difference: Difference, known: KnownFiles) -> None:
        """Write the difference to the registry and to its copy in memory."""
        for portion in portions(difference, self._folder):
            if portion:
                await self._write(portion, known)

    async def _write(self, portion: FileChanges, known: KnownFiles) -> None:
        await retry_transient(lambda: self._registry.apply(portion), what="writing to the registry")
        if portion.new or portion.changed:
            self._on_queued()
        for file in portion.gone:
            known.drop(file.file_key)
        for file, seen in portion.moved + portion.changed:
            known.put(as_known(file, seen))
        if portion.new:
            ids = [one.file_id for one in portion.new]
            keys = await retry_transient(
                lambda: self._registry.keys_of(ids), what="reading the registry"
            )
            known.put_new(portion.new, keys)

    async def state(self) -> FolderState:
        """Return the watcher's saved state."""
        saved = await retry_transient(
            self._record.watch_state, what="reading the state of the watcher"
        )
        return FolderState.from_json(saved)

    async def save_state(self, state: FolderState) -> None:
        """Save the watcher's state for the next start."""

        async def save() -> None:
            async with self._record.database.transaction() as connection:
                await self._record.save_watch_state(connection, state.to_json())

        await retry_transient(save, what="saving the state of the watcher")

    async def publish(self, problem: WatcherProblem | None) -> None:
        """Publish the current problem, or clear it."""
        await self._problems.publish(problem)


def portions(difference: Difference, folder: Path) -> Iterator[FileChanges]:
    """Split a difference into portions for one transaction each.

    Moves come first, so that a moved file leaves its old location before another file takes it.
    """
    moved = difference.moved + difference.relocated
    changed = difference.changed + difference.relocated
    new, gone = difference.new, difference.gone

    def observe(pairs: Sequence[Pair]) -> list[tuple[KnownFile, ObservedFile]]:
        return [(known, _observe(seen, folder, known.file_id)) for known, seen in pairs]

    def observe_new(some: Sequence[ScannedFile]) -> list[ObservedFile]:
        return [_observe(seen, folder) for seen in some]

    if len(moved) + len(changed) + len(new) + len(gone) <= ROWS_PER_TRANSACTION:
        yield FileChanges(observe_new(new), observe(changed), observe(moved), gone)
        return
    yield from (FileChanges(moved=observe(some)) for some in _slices(moved))
    yield from (FileChanges(gone=some) for some in _slices(gone))
    yield from (FileChanges(changed=observe(some)) for some in _slices(changed))
    yield from (FileChanges(new=observe_new(some)) for some in _slices(new))


def as_known(file: KnownFile, seen: ObservedFile) -> KnownFile:
    """Return the file with the values that were written to the registry."""
    return replace(
        file,
        location=seen.location,
        name=seen.name,
        folder=seen.folder,
        size_bytes=seen.size_bytes,
        source=seen.source,
    )


def _observe(scanned: ScannedFile, folder: Path, file_id: str | None = None) -> ObservedFile:
    name = readable(name_of(scanned.location))
    url = path_of(folder, scanned.location).as_uri()
    return ObservedFile(
        file_id=file_id or str(uuid7()),
        location=scanned.location,
        name=name,
        folder=readable(parent_of(scanned.location)),
        url=url if len(url) <= MAX_URL_CHARS else None,
        mime_type=mimetypes.guess_type(name)[0],
        size_bytes=scanned.version.size,
        source=scanned.version.to_json(),
    )


def _slices(rows: Sequence[Row]) -> Iterator[list[Row]]:
    for first in range(0, len(rows), ROWS_PER_TRANSACTION):
        yield list(rows[first : first + ROWS_PER_TRANSACTION])
