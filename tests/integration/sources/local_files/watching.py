"""Runs a watcher on a folder, and reads the registry."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import asyncpg

from raglive.sources.local_files import LocalFilesWatcher
from raglive.sources.local_files.scope import WatchScope
from raglive.store.registry.pipelines import PipelineRecord

__all__ = ["Rows", "Watched", "tree", "watching"]

Rows = dict[str, asyncpg.Record]  # by location

_FILES = "SELECT * FROM raglive.files WHERE pipeline_key = $1 AND state <> 'deleted'"
_PROBLEM = "SELECT problem FROM raglive.heads WHERE pipeline_key = $1"
_EVENTS = "SELECT type, payload FROM raglive.events WHERE pipeline_key = $1 ORDER BY seq"


class Watched:
    """A folder, its watcher and its registry."""

    def __init__(
        self, record: PipelineRecord, folder: Path, scope: WatchScope | None = None
    ) -> None:
        self.record = record
        self.folder = folder
        self.queued = asyncio.Event()
        self.committed = asyncio.Event()
        settings: dict[str, Any] = {"check_interval_seconds": 3600, "on_queued": self.queued.set}
        self.watcher = LocalFilesWatcher(record, scope or WatchScope(folder), **settings)
        self.task: asyncio.Task[None] | None = None

    async def rows(self) -> Rows:
        rows = await self.record.database.fetch(_FILES, self.record.key)
        by_location = {row["location"]: row for row in rows}
        assert len(by_location) == len(rows), "two files at one place"
        return by_location

    async def ids(self) -> dict[str, str]:
        return {location: row["file_id"] for location, row in (await self.rows()).items()}

    async def events(self, event_type: str) -> list[dict[str, Any]]:
        rows = await self.record.database.fetch(_EVENTS, self.record.key)
        return [row["payload"] for row in rows if row["type"] == event_type]

    async def problem(self) -> dict[str, Any] | None:
        problem: dict[str, Any] | None = await self.record.database.fetchval(
            _PROBLEM, self.record.key
        )
        return problem

    async def until(self, holds: Callable[[Rows], object], seconds: float = 30) -> Rows:
        """Wait until the registry meets a condition, checking after each commit."""
        async with asyncio.timeout(seconds):
            while True:
                self.committed.clear()
                rows = await self.rows()
                if holds(rows):
                    return rows
                await self._next_commit()

    async def until_problem(self, code: str | None, seconds: float = 30) -> str:
        """Wait until the pipeline has a problem of this code, or none; return its message."""
        async with asyncio.timeout(seconds):
            while True:
                self.committed.clear()
                problem = await self.problem()
                if (problem and problem["code"]) == code:
                    return str(problem and problem["message"])
                await self._next_commit()

    async def until_same(self, seconds: float = 60) -> Rows:
        """Wait until the registry equals the folder."""
        expected = tree(self.folder)
        return await self.until(
            lambda rows: (
                {at: (row["size_bytes"], row["source"]["mtime_ns"]) for at, row in rows.items()}
                == expected
            ),
            seconds,
        )

    async def _next_commit(self) -> None:
        """Wait for a commit; raise what ended the watcher."""
        commit = asyncio.create_task(self.committed.wait())
        watching = {self.task} if self.task else set()
        try:
            await asyncio.wait({commit, *watching}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            commit.cancel()
        for task in watching:
            if task.done():
                task.result()


@asynccontextmanager
async def watching(
    record: PipelineRecord,
    folder: Path,
    scope: WatchScope | None = None,
    *,
    listen: str | None = None,
) -> AsyncIterator[Watched]:
    """Run a watcher, and wait for its first full check."""
    watched = Watched(record, folder, scope)
    listener = await asyncpg.connect(listen or record.database.dsn)
    await listener.add_listener("raglive_head", lambda *_: watched.committed.set())
    watched.task = asyncio.create_task(watched.watcher.run())
    try:
        # A check without changes sends no signal.
        while watched.watcher.last_check is None and not watched.task.done():
            await asyncio.sleep(0.005)
        if watched.task.done():
            watched.task.result()
        yield watched
    finally:
        watched.task.cancel()
        await asyncio.gather(watched.task, return_exceptions=True)
        await listener.close()


def tree(folder: Path) -> dict[str, tuple[int, int]]:
    """Return size and date of every file by location."""
    found = {}
    for path in folder.rglob("*"):
        if path.is_file() and not path.name.startswith("."):
            status = path.stat()
            found[path.relative_to(folder).as_posix()] = (status.st_size, status.st_mtime_ns)
    return found
