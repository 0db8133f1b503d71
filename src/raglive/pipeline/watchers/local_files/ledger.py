"""The watcher's side of the database: what it knows, what it writes, what it keeps."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

from raglive.database.errors import retry_transient
from raglive.database.pipelines import PipelineRecord
from raglive.database.registry import Reconciliation, Registry
from raglive.pipeline.watchers.local_files.known import KnownFiles
from raglive.pipeline.watchers.local_files.problems import Problem, Problems
from raglive.pipeline.watchers.local_files.reconcile import Difference
from raglive.pipeline.watchers.local_files.records import as_known, portions
from raglive.pipeline.watchers.local_files.root import WatchState

__all__ = ["Ledger"]

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

    async def _write(self, portion: Reconciliation, known: KnownFiles) -> None:
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
                await self._record.keep_watch_state(connection, state.kept())

        await _insist(keep, "keeping its state")

    async def publish(self, problem: Problem | None) -> None:
        """Say what is wrong now, or that nothing is."""
        await _insist(lambda: self._problems.publish(problem), "publishing a problem")


async def _insist(operation: Callable[[], Awaitable[Result]], what: str) -> Result:
    return await retry_transient(operation, within_seconds=PATIENCE_SECONDS, what=what)
