"""Which processes report for a pipeline: the first says that it is online, the last offline."""

from __future__ import annotations

import os
import sqlite3
import uuid

import psutil

from raglive_reporter.events import CheckedEvent
from raglive_reporter.outbox import Outbox

__all__ = ["Session"]


class Session:
    """One reporter of one process, beside others on the same outbox."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._id = uuid.uuid4().hex

    def begin(self, online: CheckedEvent) -> None:
        """Enter, and queue `online` unless others are at work. Raises `OutboxFull`."""
        process = psutil.Process()
        with self._outbox.store.transaction() as connection:
            if not self._others(connection):
                self._outbox.insert(connection, online)
            connection.execute(
                "INSERT OR REPLACE INTO sessions VALUES (?, ?, ?, ?)",
                (self._id, self._outbox.pipeline_id, process.pid, process.create_time()),
            )

    def end(self, offline: CheckedEvent) -> None:
        """Leave, and queue `offline` unless others go on. Raises `OutboxFull`, and has left."""
        with self._outbox.store.transaction() as connection:
            connection.execute("DELETE FROM sessions WHERE session = ?", (self._id,))
            others = self._others(connection)
        if not others:
            self._outbox.put(offline)

    def _others(self, connection: sqlite3.Connection) -> bool:
        rows = connection.execute(
            "SELECT session, pid, started FROM sessions WHERE pipeline_id = ?",
            (self._outbox.pipeline_id,),
        ).fetchall()
        dead = [(session,) for session, pid, started in rows if not _lives(pid, started)]
        connection.executemany("DELETE FROM sessions WHERE session = ?", dead)
        return len(rows) > len(dead)


def _lives(pid: int, started: float) -> bool:
    if pid == os.getpid():
        return abs(psutil.Process().create_time() - started) < 1
    try:
        return abs(psutil.Process(pid).create_time() - started) < 1
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:
        return True
