"""The latest progress of each running attempt, in memory until it is sent."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping

from raglive_reporter.events import ValidatedEvent

__all__ = ["AttemptKey", "LatestProgress"]

AttemptKey = tuple[str, int]
"""A file's id and the number of the attempt."""


class LatestProgress:
    """The running attempts and, for each, the progress event that is not sent yet."""

    def __init__(self) -> None:
        self._running: set[AttemptKey] = set()
        self._unsent: dict[AttemptKey, ValidatedEvent] = {}
        self._lock = threading.Lock()

    def __len__(self) -> int:
        return len(self._running)

    def start(self, attempt: AttemptKey) -> None:
        """Count the attempt as running."""
        with self._lock:
            self._running.add(attempt)

    def end(self, attempt: AttemptKey) -> None:
        """Stop counting the attempt and drop its unsent progress."""
        with self._lock:
            self._running.discard(attempt)
            self._unsent.pop(attempt, None)

    def put(self, attempt: AttemptKey, event: ValidatedEvent) -> None:
        """Replace the unsent progress of a running attempt."""
        with self._lock:
            self._running.add(attempt)
            self._unsent[attempt] = event

    def file_ids(self) -> set[str]:
        """Return the ids of files that have unsent progress."""
        with self._lock:
            return {file_id for file_id, _ in self._unsent}

    def take(self, excluded: Collection[str], limit: int) -> dict[AttemptKey, ValidatedEvent]:
        """Remove and return up to `limit` unsent events of files that are not `excluded`."""
        with self._lock:
            chosen = [key for key in self._unsent if key[0] not in excluded][:limit]
            return {key: self._unsent.pop(key) for key in chosen}

    def put_back(self, events: Mapping[AttemptKey, ValidatedEvent]) -> None:
        """Restore events that could not be sent, unless newer ones exist or the attempt ended."""
        with self._lock:
            for key, event in events.items():
                if key in self._running:
                    self._unsent.setdefault(key, event)

    def reset(self) -> None:
        """Forget everything in a forked child; the parent continues with its own copy."""
        self.__init__()  # type: ignore[misc]  # another thread of the parent may hold the old lock
