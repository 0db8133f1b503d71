"""What a source is: a watcher keeps the registry true to it, and it lends its files to workers."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from raglive.store.registry.jobs import Job
from raglive_contract.errors import RagliveError

__all__ = ["CheckResult", "FileChanged", "FileVanished", "Source", "Watcher"]


class FileChanged(RagliveError):
    """The file was written to while it was read; what was read is void."""

    code = "file_changed"
    retryable = True


class FileVanished(RagliveError):
    """The file is no longer where the watcher saw it."""

    code = "file_vanished"
    retryable = True


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What a full check found, and wrote down."""

    files: int
    new: int = 0
    changed: int = 0
    moved: int = 0
    deleted: int = 0
    held: int = 0  # missing, but not deleted: their source is not there, or not readable
    problem: RagliveError | None = None  # part of the source could not be checked
    duration_seconds: float = 0.0


class Watcher(Protocol):
    """Watches a source and writes what it sees through the registry."""

    @property
    def location(self) -> str:
        """Return what is watched, for people."""
        ...

    @property
    def is_checking(self) -> bool:
        """Say whether a full check is running."""
        ...

    @property
    def last_check(self) -> datetime | None:
        """Return when the last full check ended."""
        ...

    @property
    def next_check(self) -> datetime | None:
        """Return when the next full check is due."""
        ...

    async def run(self) -> None:
        """Watch until cancelled: a full check at once, on hints, and every check interval.

        Raises `RagliveError` when the source cannot be watched at all.
        """
        ...

    async def check(self) -> CheckResult:
        """Check all of the source once, and return when the registry says what it holds.

        Raises `RagliveError` when the source or the database cannot be reached.
        """
        ...


class Source(Watcher, Protocol):
    """A watcher that also lends its files."""

    def fetch(self, job: Job) -> AbstractAsyncContextManager[Path]:
        """Lend a worker its file."""
        ...
