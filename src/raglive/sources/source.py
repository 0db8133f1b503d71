"""The interface of a source: a watcher that keeps the registry current, and access to its files."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from raglive.extraction.document_channel import ReadableFile
from raglive.store.registry.jobs import Job
from raglive_contract.errors import ErrorCode, RagliveError

__all__ = [
    "CheckResult",
    "FileChanged",
    "FileVanished",
    "FolderUnavailable",
    "Source",
    "Watcher",
]


class FolderUnavailable(RagliveError):
    """A watched folder does not exist, or cannot be read."""

    code = ErrorCode.WATCH_LOCATION_UNAVAILABLE
    retryable = True


class FileChanged(RagliveError):
    """The file was written to while it was read; the extracted text is discarded."""

    code = ErrorCode.FILE_CHANGED
    retryable = True


class FileVanished(RagliveError):
    """The file is no longer where the watcher saw it."""

    code = ErrorCode.FILE_VANISHED
    retryable = True


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The changes that a full check wrote to the registry.

    `held` counts missing files that are not deleted, because their source is absent or unreadable.
    `problem` is set when a part of the source could not be checked.
    """

    files: int
    new: int = 0
    changed: int = 0
    moved: int = 0
    deleted: int = 0
    held: int = 0
    problem: RagliveError | None = None
    duration_seconds: float = 0.0


class Watcher(Protocol):
    """Watches a source and writes its changes to the registry."""

    @property
    def location(self) -> str:
        """The watched location, as users see it."""
        ...

    @property
    def is_checking(self) -> bool:
        """Whether a full check is running."""
        ...

    @property
    def last_check(self) -> datetime | None:
        """When the last full check ended."""
        ...

    @property
    def next_check(self) -> datetime | None:
        """When the next full check is due."""
        ...

    async def run(self) -> None:
        """Watch until cancelled: check everything at once, on notifications, and periodically.

        Raises `RagliveError` when the source cannot be watched at all.
        """
        ...

    async def check(self) -> CheckResult:
        """Check the whole source once, and return when the registry reflects it.

        Raises `RagliveError` when the source or the database is unavailable.
        """
        ...


class Source(Watcher, Protocol):
    """A watcher that also provides the files' content."""

    def fetch(self, job: Job) -> AbstractAsyncContextManager[ReadableFile]:
        """Provide a job's file for the duration of the block: a path, or an open descriptor."""
        ...
