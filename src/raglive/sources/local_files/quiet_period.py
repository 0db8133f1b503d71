"""Decides when a file that is being written is complete enough to be read.

Pure: the caller passes the time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from raglive.sources.local_files.file_version import FileVersion
from raglive.sources.local_files.notifications import Writing
from raglive.sources.local_files.scan import ScannedFile

__all__ = ["ClockReading", "QuietPeriod"]

# File timestamps have a resolution of up to 10 ms: a second write within it changes none of them.
AFTER_CLOSE_SECONDS = 0.011
QUIET_SECONDS = 1.0  # without a change, for a file about whose writer nothing is known
OPEN_SECONDS = 60.0  # without a change, for a file that its writer keeps open
OLD_SECONDS = 2.0  # since the modification time: such a file is read at once
MAX_WAIT_SECONDS = 600.0  # a file that is written to without a pause is read this often
MAX_READS_AFTER_CLOSE = 10  # in as many seconds; a file closed more often is a log, not a document


@dataclass(frozen=True, slots=True)
class ClockReading:
    """The current time: in seconds of the monotonic clock, and in nanoseconds since 1970."""

    monotonic: float
    wall_ns: int


@dataclass(slots=True)
class _Waiting:
    version: FileVersion
    same_since: float
    seen_since: float
    writing: Writing | None = None
    due: float = 0.0


class QuietPeriod:
    """Tracks the files that are still being written.

    A file may be read shortly after it was closed or renamed, unless that happens all the time.
    A file that was written to and not closed is read once it has not changed for a minute, such as
    a log. Any other file must not have changed for a second, or be older than two seconds.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, _Waiting] = {}
        self._reads: Counter[str] = Counter()
        self._counting_since = 0.0

    def __len__(self) -> int:
        return len(self._waiting)

    def is_over(self, scanned: ScannedFile, writing: Writing | None, now: ClockReading) -> bool:
        """Check whether a file may be read now; if not, it is tracked until `next_due`.

        `writing` is the last notification about it since the last call, if there was one.
        """
        waiting = self._waiting.get(scanned.location)
        if waiting is None:
            waiting = _Waiting(scanned.version, now.monotonic, now.monotonic)
        elif waiting.version != scanned.version:
            waiting.version, waiting.same_since = scanned.version, now.monotonic
        if writing is not None:
            waiting.writing = writing
        seconds = self._seconds_to_wait(scanned.location, waiting, now)
        if seconds <= 0 or now.monotonic - waiting.seen_since >= MAX_WAIT_SECONDS:
            self._waiting.pop(scanned.location, None)
            self._count(scanned.location, now)
            return True
        waiting.due = now.monotonic + seconds
        self._waiting[scanned.location] = waiting
        return False

    def needs_writer(self, scanned: ScannedFile, now: ClockReading) -> bool:
        """Check whether it matters who writes a file, and no notification has told it so far."""
        waiting = self._waiting.get(scanned.location)
        is_recent = 0 <= _age(scanned.version, now) < OPEN_SECONDS
        return is_recent and (waiting is None or waiting.writing is None)

    def due(self, now: float) -> set[str]:
        """Return the locations to scan again."""
        return {place for place, waiting in self._waiting.items() if waiting.due <= now}

    def next_due(self) -> float | None:
        """Return when to scan again, by the monotonic clock; None when no file waits."""
        return min((waiting.due for waiting in self._waiting.values()), default=None)

    def keep(self, is_waiting: Callable[[str], bool]) -> None:
        """Stop tracking the locations for which `is_waiting` is False."""
        self._waiting = {place: one for place, one in self._waiting.items() if is_waiting(place)}

    def _seconds_to_wait(self, place: str, waiting: _Waiting, now: ClockReading) -> float:
        quiet = now.monotonic - waiting.same_since
        age = _age(waiting.version, now)
        if waiting.writing is Writing.WRITTEN:
            return OPEN_SECONDS - max(quiet, age)
        if waiting.writing is Writing.CLOSED and self._reads[place] < MAX_READS_AFTER_CLOSE:
            return AFTER_CLOSE_SECONDS - (age if age >= 0 else quiet)
        until_quiet = QUIET_SECONDS - quiet
        return min(until_quiet, OLD_SECONDS - age) if age >= 0 else until_quiet

    def _count(self, place: str, now: ClockReading) -> None:
        if now.monotonic - self._counting_since > MAX_READS_AFTER_CLOSE:
            self._reads.clear()
            self._counting_since = now.monotonic
        self._reads[place] += 1


def _age(version: FileVersion, now: ClockReading) -> float:
    """Return the seconds since the modification time; negative for one in the future."""
    return (now.wall_ns - version.mtime_ns) / 1e9
