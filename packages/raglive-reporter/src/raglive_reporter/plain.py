"""The reporter for plain code: scripts, notebooks, threads, worker processes."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self, Unpack

from raglive_contract.states import OfflineReason
from raglive_reporter.base import BaseReporter, GoneFile, reason_for
from raglive_reporter.file_report import AboutFile, FileReport

__all__ = ["File", "Reporter"]


class File(FileReport):
    """An attempt at a file; leaving `with` completes it, an exception fails it."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.leave(error)


class Reporter(BaseReporter):
    """Publishes a pipeline's status from plain code; safe to use from any thread.

    Events wait in the outbox, by default a file in the user's state folder, until the status
    server has them; `outbox=":memory:"` keeps them only as long as the process lives. A call
    returns when the event is on disk, and raises `OutboxFull` when there is no room within
    `block_seconds`. `with` says that the pipeline is online, and at the end that it is not.
    """

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close(reason=reason_for(error))

    def open(self) -> None:
        """Begin, where `with` is not at hand; may be called again."""
        self._engine.open()

    def close(
        self, timeout: float | None = None, *, reason: OfflineReason = "normal_shutdown"
    ) -> int:
        """Say that the pipeline is offline, and send what waits for `timeout` seconds at most.

        Returns how many events are left; they are sent when the outbox is opened again.
        """
        return self._engine.close(reason, self._close_seconds if timeout is None else timeout)

    def flush(self, timeout: float = 10.0) -> int:
        """Wait until all that was reported so far is published; return how many events are not."""
        return self._engine.flush(timeout)

    def file(self, name: str, **about: Unpack[AboutFile]) -> File:
        """Return an attempt at a file, for `with`."""
        return File(self._engine, name, about)

    def deleted(self, name: str, **gone: Unpack[GoneFile]) -> None:
        """Say that a file is gone from its source, and from the index."""
        self._engine.put(self._deleted(name, gone))

    def update(self, changes: dict[str, Any]) -> None:
        """Say that something else about the pipeline has changed."""
        self._engine.put(self._update(changes))
