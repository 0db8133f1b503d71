"""The reporter for asyncio."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

from raglive_contract.states import OfflineReason
from raglive_reporter.base import BaseReporter, GoneFile, reason_for
from raglive_reporter.file_report import AboutFile, Circumstances, FileReport, Results, StageName

__all__ = ["AsyncFile", "AsyncReporter"]

Result = TypeVar("Result")


class AsyncFile:
    """An attempt at a file; leaving `async with` completes it, an exception fails it."""

    def __init__(self, report: FileReport, queue: _Queue) -> None:
        self._report = report
        self._queue = queue

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._queue.run(partial(self._report.leave, error))

    @property
    def file_id(self) -> str:
        """Return the file's id."""
        return self._report.file_id

    @property
    def attempt(self) -> int:
        """Return the attempt's number. Raises `reporter_misused` before the start."""
        return self._report.attempt

    async def start(self) -> None:
        """Queue `file:processing`."""
        await self._queue.run(self._report.start)

    def progress(self, fraction: float, stage: StageName | None = None) -> None:
        """Show how much is done, 0 to 1; without effect once the attempt has ended."""
        self._report.progress(fraction, stage)

    def enter(self, stage: StageName) -> None:
        """Show that another stage begins."""
        self._report.enter(stage)

    async def complete(self, **results: Unpack[Results]) -> None:
        """Queue `file:completed`."""
        await self._queue.run(partial(self._report.complete, **results))

    async def fail(self, code: str, message: str, **more: Unpack[Circumstances]) -> None:
        """Queue `file:failed`."""
        await self._queue.run(partial(self._report.fail, code, message, **more))

    async def skip(self, code: str, message: str) -> None:
        """Queue `file:skipped`: there is nothing to index, and that is no failure."""
        await self._queue.run(partial(self._report.skip, code, message))


class AsyncReporter(BaseReporter):
    """Publishes a pipeline's status from asyncio, and leaves the event loop free.

    The same as `Reporter`, which see, with `async with` and `await`.
    """

    @cached_property
    def _queue(self) -> _Queue:
        return _Queue()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close(reason=reason_for(error))

    async def open(self) -> None:
        """Begin, where `async with` is not at hand; may be called again."""
        await self._queue.run(self._engine.open)

    async def close(
        self, timeout: float | None = None, *, reason: OfflineReason = "normal_shutdown"
    ) -> int:
        """Say that the pipeline is offline, and send what waits for `timeout` seconds at most.

        Returns how many events are left; they are sent when the outbox is opened again.
        """
        within = self._close_seconds if timeout is None else timeout
        try:
            return await asyncio.to_thread(self._engine.close, reason, within)
        finally:
            self._queue.close()

    async def flush(self, timeout: float = 10.0) -> int:
        """Wait until all that was reported so far is published; return how many events are not."""
        return await asyncio.to_thread(self._engine.flush, timeout)

    def file(self, name: str, **about: Unpack[AboutFile]) -> AsyncFile:
        """Return an attempt at a file, for `async with`."""
        return AsyncFile(FileReport(self._engine, name, about), self._queue)

    async def deleted(self, name: str, **gone: Unpack[GoneFile]) -> None:
        """Say that a file is gone from its source, and from the index."""
        await self._queue.run(partial(self._engine.put, self._deleted(name, gone)))

    async def update(self, changes: dict[str, Any]) -> None:
        """Say that something else about the pipeline has changed."""
        await self._queue.run(partial(self._engine.put, self._update(changes)))


class _Queue:
    """A thread that does what blocks, one after the other: events keep the order of the calls."""

    def __init__(self) -> None:
        self._executor: ThreadPoolExecutor | None = None
        self._pid = 0

    async def run(self, work: Callable[[], Result]) -> Result:
        if self._executor is None or self._pid != os.getpid():  # a fork leaves threads behind
            self._pid = os.getpid()
            self._executor = ThreadPoolExecutor(1, thread_name_prefix="reporter queue")
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    def close(self) -> None:
        executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown(wait=False)
