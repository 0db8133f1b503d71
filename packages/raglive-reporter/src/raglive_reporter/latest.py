"""Progress: only the latest of each running attempt, in memory."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping

from raglive_reporter.events import CheckedEvent

__all__ = ["Attempt", "LatestProgress"]

Attempt = tuple[str, int]
"""A file's id and the number of the attempt."""


class LatestProgress:
    """The attempts that run, and what is still to be shown of each."""

    def __init__(self) -> None:
        self._running: set[Attempt] = set()
        self._unseen: dict[Attempt, CheckedEvent] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._running)

    def begin(self, attempt: Attempt) -> None:
        """Note that an attempt runs."""
        with self._lock:
            self._running.add(attempt)

    def end(self, attempt: Attempt) -> None:
        """Note that it has ended: nothing more is shown of it."""
        with self._lock:
            self._running.discard(attempt)
            self._unseen.pop(attempt, None)

    def put(self, attempt: Attempt, event: CheckedEvent) -> None:
        """Replace what is to be shown of an attempt that runs."""
        with self._lock:
            self._running.add(attempt)
            self._unseen[attempt] = event

    def file_ids(self) -> set[str]:
        """Return the files that have something to show."""
        with self._lock:
            return {file_id for file_id, _ in self._unseen}

    def take(self, but: Collection[str], most: int) -> dict[Attempt, CheckedEvent]:
        """Return and forget at most so much to show, of other files than `but`."""
        with self._lock:
            chosen = [attempt for attempt in self._unseen if attempt[0] not in but][:most]
            return {attempt: self._unseen.pop(attempt) for attempt in chosen}

    def give_back(self, events: Mapping[Attempt, CheckedEvent]) -> None:
        """Keep what could not be shown, unless it has ended or there is something newer."""
        with self._lock:
            for attempt, event in events.items():
                if attempt in self._running:
                    self._unseen.setdefault(attempt, event)

    def forget_all(self) -> None:
        """Leave to the parent process, after a fork, what is its own."""
        self.__init__()  # type: ignore[misc]  # begin anew: another thread may hold the old lock
