"""The reporter for synchronous code, and the settings it shares with the one for asyncio."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Literal, Self, TypedDict, Unpack, overload

import platformdirs

from raglive_contract.model import now
from raglive_contract.states import OfflineReason
from raglive_reporter.dead_letters import DeadLetter
from raglive_reporter.delivery import DEFAULT_INTERVALS, DeliveryIntervals
from raglive_reporter.errors import ReporterError
from raglive_reporter.events import EventFactory, ValidatedEvent, file_id_for, storable_text
from raglive_reporter.file_report import FileDetails, FileReport
from raglive_reporter.http import HttpTransport, TokenProvider
from raglive_reporter.outbox import MAX_BYTES, MAX_EVENTS, OutboxLimits
from raglive_reporter.publisher import BackgroundPublisher, OnFull, PublisherOptions
from raglive_reporter.transport import Transport

__all__ = [
    "STATUS_SERVER",
    "BaseReporter",
    "ContinuingFile",
    "DeletedFileDetails",
    "File",
    "OnError",
    "Reporter",
    "default_outbox",
    "offline_reason",
]

STATUS_SERVER = "http://127.0.0.1:8103"

OnError = Literal["raise", "continue"]


class DeletedFileDetails(TypedDict, total=False):
    """Optional facts about a deleted file."""

    id: str
    folder: str
    reason: Literal["removed", "trashed", "moved_out"]


class _StartedByWith(FileReport):
    def __enter__(self) -> Self:
        self.start()
        return self


class File(_StartedByWith):
    """An attempt at a file. Leaving `with` completes it; an exception fails it and propagates."""

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        self.leave(error)


class ContinuingFile(_StartedByWith):
    """An attempt at a file. An exception fails it, is logged, and ends only the `with` block."""

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> bool:
        return self.handle(error)


class BaseReporter:
    """The settings, dead letters and pipeline events that both reporters share."""

    def __init__(
        self,
        pipeline_id: str,
        *,
        pipeline_type: str,
        url: str = STATUS_SERVER,
        token: TokenProvider | None = None,
        transport: Transport | None = None,
        outbox: str | Path | None = None,
        watch_location: str = "",
        check_interval: float = 0.0,
        max_events: int = MAX_EVENTS,
        max_bytes: int = MAX_BYTES,
        on_full: OnFull = "block",
        block_seconds: float = 30.0,
        close_seconds: float = 10.0,
        intervals: DeliveryIntervals = DEFAULT_INTERVALS,
    ) -> None:
        self._factory = EventFactory(pipeline_id, pipeline_type)
        self._close_seconds = close_seconds
        options = PublisherOptions(
            outbox=str(outbox) if outbox is not None else default_outbox(pipeline_id),
            watch_location=watch_location,
            check_interval=check_interval,
            limits=OutboxLimits(max_events, max_bytes),
            on_full=on_full,
            block_seconds=block_seconds,
            intervals=intervals,
        )
        self._publisher = BackgroundPublisher(
            self._factory, transport or _http(url, token), options
        )

    def dead_letters(self) -> list[DeadLetter]:
        """Return the permanently refused events, oldest first."""
        with self._publisher.dead_letters() as letters:
            return letters.list()

    def retry_dead_letters(self) -> int:
        """Send all dead letters again, except those that a later event of their file has overtaken.

        Returns how many dead letters there are.
        """
        with self._publisher.dead_letters() as letters:
            return letters.request_retry()

    def discard_dead_letters(self) -> int:
        """Delete all dead letters; return how many there were."""
        with self._publisher.dead_letters() as letters:
            return letters.discard()

    def _deleted(self, name: str, details: DeletedFileDetails) -> ValidatedEvent:
        file_id = file_id_for(name, details.get("id", ""), details.get("folder", ""))
        file = {"id": file_id, "name": storable_text(name), "deleted_at": now()}
        reason = details.get("reason", "removed")
        return self._factory.create("file:deleted", file=file, reason=reason)

    def _update(self, changes: dict[str, Any]) -> ValidatedEvent:
        return self._factory.create("status:update", changes=changes)


class Reporter(BaseReporter):
    """Publishes a pipeline's status from synchronous code; thread-safe.

    Events wait in the outbox until the status server has committed them. The outbox is a file in
    the user's state folder by default; with `outbox=":memory:"` it ends with the process. A call
    returns when its event is on disk, and raises `OutboxFull` after `block_seconds` without room.
    `with` reports the pipeline online, and offline at the end.
    """

    def __enter__(self) -> Self:
        self.open()
        return self

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        self.close(reason=offline_reason(error))

    def open(self) -> None:
        """Report the pipeline online and start delivery, for code that cannot use `with`."""
        self._publisher.open()

    def close(
        self, timeout: float | None = None, *, reason: OfflineReason = "normal_shutdown"
    ) -> int:
        """Report the pipeline offline, and deliver for up to `timeout` or `close_seconds`.

        Returns how many events are still in the outbox; they are sent when it is opened again.
        """
        return self._publisher.close(reason, self._close_seconds if timeout is None else timeout)

    def flush(self, timeout: float = 10.0) -> int:
        """Wait until all events reported so far are published; return how many are not."""
        return self._publisher.flush(timeout)

    @overload
    def file(
        self, name: str, *, on_error: Literal["raise"] = "raise", **details: Unpack[FileDetails]
    ) -> File: ...

    @overload
    def file(
        self, name: str, *, on_error: Literal["continue"], **details: Unpack[FileDetails]
    ) -> ContinuingFile: ...

    def file(
        self, name: str, *, on_error: OnError = "raise", **details: Unpack[FileDetails]
    ) -> File | ContinuingFile:
        """Return an attempt at a file, for `with`.

        An exception in the block fails the file. It then propagates; with `on_error="continue"` it
        is logged instead, so that a loop over files continues.
        """
        if on_error == "continue":
            return ContinuingFile(self._publisher, name, details)
        return File(self._publisher, name, details)

    def deleted(self, name: str, **details: Unpack[DeletedFileDetails]) -> None:
        """Queue `file:deleted`: the file is gone from its source and from the index."""
        self._publisher.put(self._deleted(name, details))

    def update(self, changes: dict[str, Any]) -> None:
        """Queue `status:update` with other changes of the pipeline."""
        self._publisher.put(self._update(changes))


def default_outbox(pipeline_id: str) -> str:
    """Return the path of a pipeline's outbox in the user's state folder."""
    folder = Path(platformdirs.user_state_dir("raglive", appauthor=False)) / "outbox"
    return str(folder / f"{re.sub(r'[^A-Za-z0-9._-]', '_', pipeline_id)}.sqlite3")


def offline_reason(error: BaseException | None) -> OfflineReason:
    """Return the reason to report when `error` ends a pipeline; an interruption is no error."""
    is_interrupted = error is None or not isinstance(error, Exception)
    is_failed_exit = isinstance(error, SystemExit) and error.code not in {None, 0}
    return "normal_shutdown" if is_interrupted and not is_failed_exit else "error"


def _http(url: str, token: TokenProvider | None) -> Transport:
    if token is None:
        raise ReporterError("A token is required: `raglive token --role producer` creates one.")
    return HttpTransport(url, token)
