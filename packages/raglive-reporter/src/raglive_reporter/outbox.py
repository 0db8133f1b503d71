"""The outbox: events that were accepted, in order, until the log has them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from raglive_reporter.errors import OutboxFull
from raglive_reporter.events import CheckedEvent
from raglive_reporter.store import Store

__all__ = ["MAX_BYTES", "MAX_EVENTS", "Bounds", "Outbox", "Queued"]

MAX_EVENTS = 100_000
MAX_BYTES = 64 * 2**20
_INSERT = "INSERT INTO events (pipeline_id, file_id, type, body) VALUES (?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much of one pipeline may wait in its outbox."""

    max_events: int = MAX_EVENTS
    max_bytes: int = MAX_BYTES


@dataclass(frozen=True, slots=True)
class Queued:
    """An event that waits; `place` is where it stands in the order."""

    place: int
    file_id: str
    type: str
    body: bytes


class Outbox:
    """The events of one pipeline in a store."""

    def __init__(self, store: Store, pipeline_id: str, bounds: Bounds) -> None:
        self.store = store
        self.pipeline_id = pipeline_id
        self._bounds = bounds

    def put(self, event: CheckedEvent) -> int:
        """Queue an event, and return its place once it is on disk. Raises `OutboxFull`."""
        with self.store.transaction() as connection:
            return self.insert(connection, event)

    def put_attempt(
        self, file_id: str, given: int | None, event: Callable[[int], CheckedEvent]
    ) -> tuple[int, int]:
        """Queue the event that starts a file's next attempt; return the attempt and the place.

        The attempt is the `given` one, else the one after the last. Raises `OutboxFull`.
        """
        with self.store.transaction() as connection:
            row = connection.execute(
                "SELECT attempt FROM files WHERE pipeline_id = ? AND file_id = ?",
                (self.pipeline_id, file_id),
            ).fetchone()
            last = row[0] if row else 0
            attempt = given if given is not None else last + 1
            place = self.insert(connection, event(attempt))
            connection.execute(
                "INSERT INTO files (pipeline_id, file_id, attempt) VALUES (?, ?, ?) "
                "ON CONFLICT DO UPDATE SET attempt = excluded.attempt",
                (self.pipeline_id, file_id, max(attempt, last)),
            )
            return attempt, place

    def insert(self, connection: sqlite3.Connection, event: CheckedEvent) -> int:
        """Queue an event within the caller's transaction. Raises `OutboxFull`."""
        events, size = self._waiting(connection)
        if events >= self._bounds.max_events or size + len(event.body) > self._bounds.max_bytes:
            raise OutboxFull(
                f"The outbox {self.store.path} is full: {events} events, {size} bytes of "
                f"{self.pipeline_id} wait to be published. Is the status server up, and does it "
                "accept the token?"
            )
        row = (self.pipeline_id, event.file_id or "", event.type, event.body)
        place = connection.execute(_INSERT, row).lastrowid
        assert place is not None
        return place

    def batch(self, max_events: int, max_bytes: int) -> list[Queued]:
        """Return the next events in order: at least one, if any waits."""
        found: list[Queued] = []
        size = 0
        with self.store.reading() as connection:
            rows = connection.execute(
                "SELECT place, file_id, type, body FROM events WHERE pipeline_id = ? "
                "ORDER BY place LIMIT ?",
                (self.pipeline_id, max_events),
            )
            for row in rows:
                event = Queued(*row)
                size += len(event.body) + 1
                if found and size > max_bytes:
                    break
                found.append(event)
            rows.close()
        return found

    def published(self, events: Sequence[Queued]) -> None:
        """Remove events that the log has."""
        last = {event.file_id: event.place for event in events}
        with self.store.transaction() as connection:
            connection.executemany(
                "DELETE FROM events WHERE place = ?", [(event.place,) for event in events]
            )
            connection.executemany(
                "INSERT INTO files (pipeline_id, file_id, published) VALUES (?, ?, ?) "
                "ON CONFLICT DO UPDATE SET published = excluded.published",
                [(self.pipeline_id, file_id, place) for file_id, place in last.items()],
            )

    def waiting(self, up_to: int | None = None) -> int:
        """Return how many events wait, at or before a place if one is given."""
        with self.store.reading() as connection:
            if up_to is None:
                return self._waiting(connection)[0]
            (count,) = connection.execute(
                "SELECT count(*) FROM events WHERE pipeline_id = ? AND place <= ?",
                (self.pipeline_id, up_to),
            ).fetchone()
            return int(count)

    def last_place(self) -> int:
        """Return the place of the newest event that waits; 0 when none does."""
        with self.store.reading() as connection:
            (place,) = connection.execute(
                "SELECT max(place) FROM events WHERE pipeline_id = ?", (self.pipeline_id,)
            ).fetchone()
            return place or 0

    def files_waiting(self, file_ids: Iterable[str]) -> set[str]:
        """Return those of the files that have an event waiting."""
        query = "SELECT 1 FROM events WHERE pipeline_id = ? AND file_id = ? LIMIT 1"
        with self.store.reading() as connection:
            return {
                file_id
                for file_id in file_ids
                if connection.execute(query, (self.pipeline_id, file_id)).fetchone()
            }

    def _waiting(self, connection: sqlite3.Connection) -> tuple[int, int]:
        row = connection.execute(
            "SELECT events, bytes FROM waiting WHERE pipeline_id = ?", (self.pipeline_id,)
        ).fetchone()
        return row or (0, 0)
