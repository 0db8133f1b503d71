"""Events that the log refused for good, kept with the reason until somebody decides."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from raglive_contract.errors import RagliveError
from raglive_reporter.events import now
from raglive_reporter.outbox import Queued
from raglive_reporter.store import Store

__all__ = ["DeadLetter", "DeadLetters"]

log = logging.getLogger("raglive_reporter")

MOST_KEPT = 100_000

_WANTED = "SELECT 1 FROM dead_letters WHERE pipeline_id = ? AND again = 1 LIMIT 1"
_REVIVE = """
INSERT INTO events (place, pipeline_id, file_id, type, body)
SELECT place, pipeline_id, file_id, type, body FROM dead_letters AS dead
WHERE pipeline_id = ? AND again = 1 AND NOT EXISTS (
    SELECT 1 FROM files
    WHERE pipeline_id = dead.pipeline_id AND file_id = dead.file_id AND published > dead.place)
"""
_FORGET_REVIVED = """
DELETE FROM dead_letters WHERE pipeline_id = ? AND place IN (SELECT place FROM events)
"""
_WANT_NO_MORE = "UPDATE dead_letters SET again = 0 WHERE pipeline_id = ?"


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A refused event, and why."""

    event: dict[str, Any]
    code: str
    message: str
    refused_at: str


class DeadLetters:
    """The dead letters of one pipeline; of more than 100,000 the oldest are dropped, and logged."""

    def __init__(self, store: Store, pipeline_id: str) -> None:
        self._store = store
        self._pipeline_id = pipeline_id

    def bury(self, events: Sequence[Queued], why: RagliveError) -> None:
        """Move events out of the way of those behind them."""
        reason = (str(why.code), why.message, now())
        with self._store.transaction() as connection:
            connection.executemany(
                "INSERT INTO dead_letters (place, pipeline_id, file_id, type, body, code, message, "
                "refused_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [(e.place, self._pipeline_id, e.file_id, e.type, e.body, *reason) for e in events],
            )
            places = [(event.place,) for event in events]
            connection.executemany("DELETE FROM events WHERE place = ?", places)
            dropped = connection.execute(
                "DELETE FROM dead_letters WHERE pipeline_id = ?1 AND place <= (SELECT place "
                "FROM dead_letters WHERE pipeline_id = ?1 ORDER BY place DESC LIMIT 1 OFFSET ?2)",
                (self._pipeline_id, MOST_KEPT),
            ).rowcount
        named = f"{events[0].type} of {self._pipeline_id}"
        more = f" and {len(events) - 1} more" if len(events) > 1 else ""
        log.error("refused, now a dead letter: %s%s: %s", named, more, why.message)
        if dropped:
            log.error("%d oldest dead letters of %s dropped", dropped, self._pipeline_id)

    def list(self) -> list[DeadLetter]:
        """Return them, oldest first."""
        with self._store.reading() as connection:
            rows = connection.execute(
                "SELECT body, code, message, refused_at FROM dead_letters WHERE pipeline_id = ? "
                "ORDER BY place",
                (self._pipeline_id,),
            ).fetchall()
        return [DeadLetter(orjson.loads(body), *reason) for body, *reason in rows]

    def want_again(self) -> int:
        """Ask for all of them to be tried again; return how many that is."""
        with self._store.transaction() as connection:
            return connection.execute(
                "UPDATE dead_letters SET again = 1 WHERE pipeline_id = ?", (self._pipeline_id,)
            ).rowcount

    def discard(self) -> int:
        """Remove all of them; return how many there were."""
        with self._store.transaction() as connection:
            return connection.execute(
                "DELETE FROM dead_letters WHERE pipeline_id = ?", (self._pipeline_id,)
            ).rowcount

    def revive_wanted(self) -> None:
        """Queue what is wanted again, at its old place; for whoever sends, between two batches.

        An event stays when a later one of its file was published: the order would be broken.
        """
        mine = (self._pipeline_id,)
        with self._store.reading() as connection:
            if not connection.execute(_WANTED, mine).fetchone():
                return
        with self._store.transaction() as connection:
            connection.execute(_REVIVE, mine)
            connection.execute(_FORGET_REVIVED, mine)
            connection.execute(_WANT_NO_MORE, mine)
