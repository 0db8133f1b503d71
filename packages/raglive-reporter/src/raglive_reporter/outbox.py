"""The outbox: accepted events of one pipeline, in order, until they are published."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from raglive_reporter.errors import OutboxFull
from raglive_reporter.events import ValidatedEvent
from raglive_reporter.outbox_file import OutboxFile

__all__ = ["MAX_BYTES", "MAX_EVENTS", "EventOutbox", "OutboxLimits", "QueuedEvent"]

MAX_EVENTS = 100_000
MAX_BYTES = 64 * 2**20
_INSERT = "INSERT INTO events (pipeline_id, file_id, type, body) VALUES (?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class OutboxLimits:
    """How many events, and how many bytes of them, one pipeline may have in its outbox."""

    max_events: int = MAX_EVENTS
    max_bytes: int = MAX_BYTES


@dataclass(frozen=True, slots=True)
class QueuedEvent:
    """An event in the outbox; events are published by ascending `position`."""

    position: int
    file_id: str
    type: str
    body: bytes


class EventOutbox:
    """The queued events of one pipeline in an outbox file."""

    def __init__(self, file: OutboxFile, pipeline_id: str, limits: OutboxLimits) -> None:
        self.file = file
        self.pipeline_id = pipeline_id
        self._limits = limits

    def put(self, event: ValidatedEvent) -> int:
        """Queue an event durably, and return its position. Raises `OutboxFull`."""
        with self.file.transaction() as connection:
            return self.insert(connection, event)

    def put_attempt(
        self, file_id: str, given: int | None, create: Callable[[int], ValidatedEvent]
    ) -> tuple[int, int]:
        """Queue the event that starts an attempt; return the attempt and the event's position.

        The attempt is the `given` one, or the one after the file's last. Raises `OutboxFull`.
        """
        with self.file.transaction() as connection:
            row = connection.execute(
                "SELECT attempt FROM files WHERE pipeline_id = ? AND file_id = ?",
                (self.pipeline_id, file_id),
            ).fetchone()
            last = row[0] if row else 0
            attempt = given if given is not None else last + 1
            position = self.insert(connection, create(attempt))
            connection.execute(
                "INSERT INTO files (pipeline_id, file_id, attempt) VALUES (?, ?, ?) "
                "ON CONFLICT DO UPDATE SET attempt = excluded.attempt",
                (self.pipeline_id, file_id, max(attempt, last)),
            )
            return attempt, position

    def insert(self, connection: sqlite3.Connection, event: ValidatedEvent) -> int:
        """Queue an event in the caller's transaction. Raises `OutboxFull`."""
        events, size = self._waiting(connection)
        if events >= self._limits.max_events or size + len(event.body) > self._limits.max_bytes:
            raise OutboxFull(
                f"The outbox {self.file.path} is full: {events} events, {size} bytes of "
                f"{self.pipeline_id} wait to be published. Check that the status server runs and "
                "accepts the token."
            )
        row = (self.pipeline_id, event.file_id or "", event.type, event.body)
        position = connection.execute(_INSERT, row).lastrowid
        assert position is not None
        return position

    def batch(self, max_events: int, max_bytes: int) -> list[QueuedEvent]:
        """Return the next events in order, and at least one unless the outbox is empty."""
        found: list[QueuedEvent] = []
        size = 0
        with self.file.reading() as connection:
            rows = connection.execute(
                "SELECT position, file_id, type, body FROM events WHERE pipeline_id = ? "
                "ORDER BY position LIMIT ?",
                (self.pipeline_id, max_events),
            )
            for row in rows:
                event = QueuedEvent(*row)
                size += len(event.body) + 1
                if found and size > max_bytes:
                    break
                found.append(event)
            rows.close()
        return found

    def remove_published(self, events: Sequence[QueuedEvent]) -> None:
        """Remove published events, and remember the last position of each file."""
        last = {event.file_id: event.position for event in events}
        with self.file.transaction() as connection:
            connection.executemany(
                "DELETE FROM events WHERE position = ?", [(event.position,) for event in events]
            )
            connection.executemany(
                "INSERT INTO files (pipeline_id, file_id, published) VALUES (?, ?, ?) "
                "ON CONFLICT DO UPDATE SET published = excluded.published",
                [(self.pipeline_id, file_id, position) for file_id, position in last.items()],
            )

    def waiting(self, up_to: int | None = None) -> int:
        """Return the number of queued events, at or before position `up_to` if it is given."""
        with self.file.reading() as connection:
            if up_to is None:
                return self._waiting(connection)[0]
            (count,) = connection.execute(
                "SELECT count(*) FROM events WHERE pipeline_id = ? AND position <= ?",
                (self.pipeline_id, up_to),
            ).fetchone()
            return int(count)

    def last_position(self) -> int:
        """Return the position of the newest queued event, or 0 when the outbox is empty."""
        with self.file.reading() as connection:
            (position,) = connection.execute(
                "SELECT max(position) FROM events WHERE pipeline_id = ?", (self.pipeline_id,)
            ).fetchone()
            return position or 0

    def files_with_events(self, file_ids: Iterable[str]) -> set[str]:
        """Return those of the files that have a queued event."""
        query = "SELECT 1 FROM events WHERE pipeline_id = ? AND file_id = ? LIMIT 1"
        with self.file.reading() as connection:
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
