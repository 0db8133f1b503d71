"""The reporter for asyncio."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from typing import Any, Literal, Self, TypeVar, Unpack, overload

from raglive_contract.states import OfflineReason
from raglive_reporter.file_report import (
    AttemptResults,
    FailureDetails,
    FileDetails,
    FileReport,
    Outcome,
    StageName,
)
from raglive_reporter.reporter import BaseReporter, DeletedFileDetails, OnError, offline_reason

__all__ = ["AsyncContinuingFile", "AsyncFile", "AsyncReporter"]

Result = TypeVar("Result")


class _BaseAsyncFile:
    """The calls of `FileReport`; those that write to the outbox run in the writer's thread."""

    def __init__(self, report: FileReport, writer: _Writer) -> None:
        self._report = report
        self._writer = writer

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    @property
    def file_id(self) -> str:
        """The id that identifies the file at every attempt."""
        return self._report.file_id

    @property
    def attempt(self) -> int:
        """The number of the attempt, from 1. Raises `reporter_misused` before the start."""
        return self._report.attempt

    @property
    def outcome(self) -> Outcome | None:
        """How the attempt ended; `None` while it runs."""
        return self._report.outcome

    async def start(self) -> None:
        """Queue `file:processing`."""
        await self._writer.run(self._report.start)

    def progress(self, fraction: float, stage: StageName | None = None) -> None:
        """Show which fraction is done, 0 to 1; ignored after the end of the attempt."""
        self._report.progress(fraction, stage)

    def enter(self, stage: StageName) -> None:
        """Show the start of another stage; the fraction stays."""
        self._report.enter(stage)

    async def complete(self, **results: Unpack[AttemptResults]) -> None:
        """Queue `file:completed`; commit the index first."""
        await self._writer.run(partial(self._report.complete, **results))

    async def fail(self, code: str, message: str, **details: Unpack[FailureDetails]) -> None:
        """Queue `file:failed`."""
        await self._writer.run(partial(self._report.fail, code, message, **details))

    async def skip(self, code: str, message: str) -> None:
        """Queue `file:skipped`: the file holds nothing to index, which is not a failure."""
        await self._writer.run(partial(self._report.skip, code, message))


class AsyncFile(_BaseAsyncFile):
    """An attempt at a file. Leaving the block completes it; an exception fails it."""

    async def __aexit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        await self._writer.run(partial(self._report.leave, error))


class AsyncContinuingFile(_BaseAsyncFile):
    """An attempt at a file. An exception fails it, is logged, and ends only the block."""

    async def __aexit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        return await self._writer.run(partial(self._report.handle, error))


class AsyncReporter(BaseReporter):
    """Publishes a pipeline's status from asyncio without blocking the event loop.

    It behaves like `Reporter`, with `async with` and `await`.
    """

    @cached_property
    def _writer(self) -> _Writer:
        return _Writer()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        await self.close(reason=offline_reason(error))

    async def open(self) -> None:
        """Report the pipeline online and start delivery, for code that cannot use `async with`."""
        await self._writer.run(self._publisher.open)

    async def close(
        self, timeout: float | None = None, *, reason: OfflineReason = "normal_shutdown"
    ) -> int:
        """Report the pipeline offline, and deliver for up to `timeout` or `close_seconds`.

        Returns how many events are still in the outbox; they are sent when it is opened again.
        """
        within = self._close_seconds if timeout is None else timeout
        try:
            return await asyncio.to_thread(self._publisher.close, reason, within)
        finally:
            self._writer.close()

    async def flush(self, timeout: float = 10.0) -> int:
        """Wait until all events reported so far are published; return how many are not."""
        return await asyncio.to_thread(self._publisher.flush, timeout)

    @overload
    def file(
        self, name: str, *, on_error: Literal["raise"] = "raise", **details: Unpack[FileDetails]
    ) -> AsyncFile: ...

    @overload
    def file(
        self, name: str, *, on_error: Literal["continue"], **details: Unpack[FileDetails]
    ) -> AsyncContinuingFile: ...

    def file(
        self, name: str, *, on_error: OnError = "raise", **details: Unpack[FileDetails]
    ) -> AsyncFile | AsyncContinuingFile:
        """Return an attempt at a file, for `async with`; `on_error` as for `Reporter.file`."""
        report = FileReport(self._publisher, name, details)
        if on_error == "continue":
            return AsyncContinuingFile(report, self._writer)
        return AsyncFile(report, self._writer)

    async def deleted(self, name: str, **details: Unpack[DeletedFileDetails]) -> None:
        """Queue `file:deleted`: the file is gone from its source and from the index."""
        await self._writer.run(partial(self._publisher.put, self._deleted(name, details)))

    async def update(self, changes: dict[str, Any]) -> None:
        """Queue `status:update` with other changes of the pipeline."""
        await self._writer.run(partial(self._publisher.put, self._update(changes)))


class _Writer:
    """One thread for all blocking writes, so that events keep the order of the calls."""

    def __init__(self) -> None:
        self._executor: ThreadPoolExecutor | None = None
        self._pid = 0

    async def run(self, work: Callable[[], Result]) -> Result:
        if self._executor is None or self._pid != os.getpid():  # a forked child has no threads
            self._pid = os.getpid()
            self._executor = ThreadPoolExecutor(1, thread_name_prefix="reporter writer")
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    def close(self) -> None:
        executor, self._executor = self._executor, None
        if executor is not None:
            executor.shutdown(wait=False)
