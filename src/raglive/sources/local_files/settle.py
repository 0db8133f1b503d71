"""When a file that is being written has come to rest. Pure: the clocks are the caller's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from raglive.sources.local_files.scan import Seen
from raglive.sources.local_files.version import Version

__all__ = ["Moment", "Settling"]

# Clocks of file systems move in ticks of up to 10 ms: within one, another write leaves no trace.
CLOSED_SECONDS = 0.011
QUIET_SECONDS = 1.0
OLD_SECONDS = 2.0
RESTLESS_SECONDS = 600.0  # a file that is always written to is taken as it is, now and then
OFTEN = 10  # times within as many seconds: a log, say, rather than a document that is saved


@dataclass(frozen=True, slots=True)
class Moment:
    """Now, by the clock that never jumps (s) and by the one that files are dated with (ns)."""

    steady: float
    wall_ns: int


@dataclass(slots=True)
class _Waiting:
    version: Version
    same_since: float
    seen_since: float
    closed: bool = False
    due: float = 0.0


class Settling:
    """The files that are not at rest yet.

    A file is at rest a moment after it was closed or renamed into its name, unless that happens
    all the time; or when it has not changed for a second, or was last written to two seconds ago.
    """

    def __init__(self) -> None:
        self._waiting: dict[str, _Waiting] = {}
        self._taken: Counter[str] = Counter()
        self._counting_since = 0.0

    def __len__(self) -> int:
        return len(self._waiting)

    def is_settled(self, seen: Seen, closed: bool | None, now: Moment) -> bool:
        """Say whether a file may be taken; if not, it waits.

        `closed` is what hints said last: closed, open for writing, or nothing about it.
        """
        waiting = self._waiting.get(seen.location)
        if waiting is None:
            waiting = _Waiting(seen.version, now.steady, now.steady)
        elif waiting.version != seen.version:
            waiting.version, waiting.same_since = seen.version, now.steady
        if closed is not None:
            waiting.closed = closed
        waits = self._seconds_to_wait(seen.location, waiting, now)
        if waits <= 0 or now.steady - waiting.seen_since >= RESTLESS_SECONDS:
            self._waiting.pop(seen.location, None)
            self._count(seen.location, now)
            return True
        waiting.due = now.steady + waits
        self._waiting[seen.location] = waiting
        return False

    def due(self, now: float) -> set[str]:
        """Return the places to look at again."""
        return {place for place, waiting in self._waiting.items() if waiting.due <= now}

    def next_due(self) -> float | None:
        """Return when to look again, None when nothing waits."""
        return min((waiting.due for waiting in self._waiting.values()), default=None)

    def keep(self, waits: Callable[[str], bool]) -> None:
        """Wait no longer for the others."""
        self._waiting = {place: one for place, one in self._waiting.items() if waits(place)}

    def _seconds_to_wait(self, place: str, waiting: _Waiting, now: Moment) -> float:
        quiet = now.steady - waiting.same_since
        age = (now.wall_ns - waiting.version.mtime_ns) / 1e9
        if waiting.closed and self._taken[place] < OFTEN:
            return CLOSED_SECONDS - (age if age >= 0 else quiet)
        until_quiet = QUIET_SECONDS - quiet
        return min(until_quiet, OLD_SECONDS - age) if age >= 0 else until_quiet

    def _count(self, place: str, now: Moment) -> None:
        if now.steady - self._counting_since > OFTEN:
            self._taken.clear()
            self._counting_since = now.steady
        self._taken[place] += 1
