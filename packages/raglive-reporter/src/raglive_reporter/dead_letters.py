"""Dead letters: events that the log refused permanently, stored with the reason."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from raglive_contract.errors import RagliveError
from raglive_reporter.events import now
from raglive_reporter.outbox import QueuedEvent
from raglive_reporter.outbox_file import OutboxFile

__all__ = ["DeadLetter", "DeadLetters"]

log = logging.getLogger("raglive_reporter")

MAX_DEAD_LETTERS = 100_000

_IS_RETRY_REQUESTED = (
    "SELECT 1 FROM dead_letters WHERE pipeline_id = ? AND retry_requested = 1 LIMIT 1"
)
_REQUEUE = """
INSERT INTO events (position, pipeline_id, file_id, type, body)
SELECT position, pipeline_id, file_id, type, body FROM dead_letters AS dead
WHERE pipeline_id = ? AND retry_requested = 1 AND NOT EXISTS (
    SELECT 1 FROM files
    WHERE pipeline_id = dead.pipeline_id AND file_id = dead.file_id AND published > dead.position)
"""
_DELETE_REQUEUED = """
DELETE FROM dead_letters WHERE pipeline_id = ? AND position IN (SELECT position FROM events)
"""
_CLEAR_REQUESTS = "UPDATE dead_letters SET retry_requested = 0 WHERE pipeline_id = ?"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A permanently refused event, with the error code and message of the refusal."""

    event: dict[str, Any]
    code: str
    message: str
    refused_at: str


class DeadLetters:
    """The dead letters of one pipeline; beyond 100,000, the oldest are dropped and logged."""

    def __init__(self, file: OutboxFile, pipeline_id: str) -> None:
        self._file = file
        self._pipeline_id = pipeline_id

    def add(self, events: Sequence[QueuedEvent], error: RagliveError) -> None:
        """Move queued events here, so that those behind them are published."""
        reason = (str(error.code), error.message, now())
        with self._file.transaction() as connection:
            connection.executemany(
                "INSERT INTO dead_letters (position, pipeline_id, file_id, type, body, code, "
                "message, refused_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (it.position, self._pipeline_id, it.file_id, it.type, it.body, *reason)
                    for it in events
                ],
            )
            positions = [(event.position,) for event in events]
            connection.executemany("DELETE FROM events WHERE position = ?", positions)
            dropped = connection.execute(
                "DELETE FROM dead_letters WHERE pipeline_id = ?1 AND position <= ("
                "SELECT position FROM dead_letters WHERE pipeline_id = ?1 "
                "ORDER BY position DESC LIMIT 1 OFFSET ?2)",
                (self._pipeline_id, MAX_DEAD_LETTERS),
            ).rowcount
        named = f"{events[0].type} of {self._pipeline_id}"
        more = f" and {len(events) - 1} more" if len(events) > 1 else ""
        log.error("refused, now a dead letter: %s%s: %s", named, more, error.message)
        if dropped:
            log.error("%d oldest dead letters of %s dropped", dropped, self._pipeline_id)

    def list(self) -> list[DeadLetter]:
        """Return all dead letters, oldest first."""
        with self._file.reading() as connection:
            rows = connection.execute(
                "SELECT body, code, message, refused_at FROM dead_letters WHERE pipeline_id = ? "
                "ORDER BY position",
                (self._pipeline_id,),
            ).fetchall()
        return [DeadLetter(orjson.loads(body), *reason) for body, *reason in rows]

    def request_retry(self) -> int:
        """Mark all for `requeue_requested`; return how many there are."""
        with self._file.transaction() as connection:
            return connection.execute(
                "UPDATE dead_letters SET retry_requested = 1 WHERE pipeline_id = ?",
                (self._pipeline_id,),
            ).rowcount

    def discard(self) -> int:
        """Delete all; return how many there were."""
        with self._file.transaction() as connection:
            return connection.execute(
                "DELETE FROM dead_letters WHERE pipeline_id = ?", (self._pipeline_id,)
            ).rowcount

    def requeue_requested(self) -> None:
        """Return marked events to their old positions; called by the sender between two batches.

        An event stays here if a later one of its file was published: sending it would break the
        order.
        """
        parameters = (self._pipeline_id,)
        with self._file.reading() as connection:
            if not connection.execute(_IS_RETRY_REQUESTED, parameters).fetchone():
                return
        with self._file.transaction() as connection:
            connection.execute(_REQUEUE, parameters)
            connection.execute(_DELETE_REQUEUED, parameters)
            connection.execute(_CLEAR_REQUESTS, parameters)
