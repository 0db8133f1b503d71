"""The watcher's side of the database: what it knows, what it writes, what it keeps."""

from __future__ import annotations

import asyncio
import mimetypes
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from uuid6 import uuid7

from raglive.sources.local_files.known import KnownFiles
from raglive.sources.local_files.location import name_of, parent_of, path_of, readable
from raglive.sources.local_files.problems import Problem, Problems
from raglive.sources.local_files.reconcile import Difference, Pair
from raglive.sources.local_files.root import WatchState
from raglive.sources.local_files.scan import Seen
from raglive.store.errors import retry_transient
from raglive.store.registry.files import FileChanges, KnownFile, ObservedFile, Registry
from raglive.store.registry.pipelines import PipelineRecord

__all__ = ["Ledger", "as_known", "portions"]

PATIENCE_SECONDS = 60.0

Result = TypeVar("Result")


class Ledger:
    """Reads and writes the registry; every method waits for a database that is away.

    Each raises `DatabaseUnavailable` after a minute. What was written is then unknown: load again.
    """

    def __init__(self, record: PipelineRecord, folder: Path, on_queued: Callable[[], None]) -> None:
        self._record = record
        self._folder = folder
        self._on_queued = on_queued
        self._registry = Registry(record)
        self._problems = Problems(record)

    async def load(self) -> KnownFiles:
        """Return the files that the registry has."""
        files = await _insist(self._registry.known, "reading the registry")
        return await asyncio.to_thread(KnownFiles, files)

    async def write(self, difference: Difference, known: KnownFiles) -> None:
        """Bring the registry, and what is known of it, to what was seen."""
        for portion in portions(difference, self._folder):
            if portion:
                await self._write(portion, known)

    async def _write(self, portion: FileChanges, known: KnownFiles) -> None:
        await _insist(lambda: self._registry.apply(portion), "writing to the registry")
        if portion.new or portion.changed:
            self._on_queued()
        for file in portion.gone:
            known.drop(file.file_key)
        for file, seen in portion.moved + portion.changed:
            known.put(as_known(file, seen))
        if portion.new:
            new = portion.new
            await _insist(lambda: known.put_new(self._record, new), "reading the registry")

    async def state(self) -> WatchState:
        """Return what the watcher kept."""
        return WatchState.kept_in(await _insist(self._record.watch_state, "reading its state"))

    async def keep(self, state: WatchState) -> None:
        """Keep it for the next time."""

        async def keep() -> None:
            async with self._record.database.transaction() as connection:
                await self._record.save_watch_state(connection, state.kept())

        await _insist(keep, "keeping its state")

    async def publish(self, problem: Problem | None) -> None:
        """Say what is wrong now, or that nothing is."""
        await _insist(lambda: self._problems.publish(problem), "publishing a problem")


async def _insist(operation: Callable[[], Awaitable[Result]], what: str) -> Result:
    return await retry_transient(operation, within_seconds=PATIENCE_SECONDS, what=what)


ROWS = 500
LONGEST_URL = 8192

Row = TypeVar("Row")


def portions(difference: Difference, folder: Path) -> Iterator[FileChanges]:
    """Yield what to write to the registry, a transaction each.

    Moves come first, so that a file is found before its old place is taken.
    """
    moved = difference.moved + difference.carried
    changed = difference.changed + difference.carried
    new, gone = difference.new, difference.gone

    def observe(pairs: Sequence[Pair]) -> list[tuple[KnownFile, ObservedFile]]:
        return [(known, _observe(seen, folder, known.file_id)) for known, seen in pairs]

    def observe_new(some: Sequence[Seen]) -> list[ObservedFile]:
        return [_observe(seen, folder) for seen in some]

    if len(moved) + len(changed) + len(new) + len(gone) <= ROWS:
        yield FileChanges(observe_new(new), observe(changed), observe(moved), gone)
        return
    yield from (FileChanges(moved=observe(some)) for some in _slices(moved))
    yield from (FileChanges(gone=some) for some in _slices(gone))
    yield from (FileChanges(changed=observe(some)) for some in _slices(changed))
    yield from (FileChanges(new=observe_new(some)) for some in _slices(new))


def as_known(file: KnownFile, seen: ObservedFile) -> KnownFile:
    """Return the file as the registry has it once it says what was seen."""
    return replace(
        file,
        location=seen.location,
        name=seen.name,
        folder=seen.folder,
        size_bytes=seen.size_bytes,
        source=seen.source,
    )


def _observe(seen: Seen, folder: Path, file_id: str | None = None) -> ObservedFile:
    name = readable(name_of(seen.location))
    url = path_of(folder, seen.location).as_uri()
    return ObservedFile(
        file_id=file_id or str(uuid7()),
        location=seen.location,
        name=name,
        folder=readable(parent_of(seen.location)),
        url=url if len(url) <= LONGEST_URL else None,
        mime_type=mimetypes.guess_type(name)[0],
        size_bytes=seen.version.size,
        source=seen.version.source(),
    )


def _slices(rows: Sequence[Row]) -> Iterator[list[Row]]:
    for first in range(0, len(rows), ROWS):
        yield list(rows[first : first + ROWS])
