"""The processes that report for one pipeline, and what a reporter does when its process forks."""

from __future__ import annotations

import os
import sqlite3
import threading
import uuid
from contextlib import AbstractContextManager
from typing import Any, Protocol
from weakref import WeakSet

import psutil

from raglive_reporter.events import ValidatedEvent
from raglive_reporter.outbox import EventOutbox

__all__ = ["ProcessRegistry", "register_fork_handler"]


class ProcessRegistry:
    """Registers this reporter with others on the same outbox.

    The first reporter announces the pipeline online, and the last one offline.
    """

    def __init__(self, outbox: EventOutbox) -> None:
        self._outbox = outbox
        self._id = uuid.uuid4().hex

    def register(self, online: ValidatedEvent) -> None:
        """Add this reporter, and queue `online` if it is the first. Raises `OutboxFull`."""
        process = psutil.Process()
        with self._outbox.file.transaction() as connection:
            if not self._has_others(connection):
                self._outbox.insert(connection, online)
            connection.execute(
                "INSERT OR REPLACE INTO reporters VALUES (?, ?, ?, ?)",
                (self._id, self._outbox.pipeline_id, process.pid, process.create_time()),
            )

    def unregister(self, offline: ValidatedEvent) -> None:
        """Remove this reporter, and queue `offline` if it was the last.

        Raises `OutboxFull`; the reporter is removed all the same.
        """
        with self._outbox.file.transaction() as connection:
            connection.execute("DELETE FROM reporters WHERE reporter = ?", (self._id,))
            has_others = self._has_others(connection)
        if not has_others:
            self._outbox.put(offline)

    def _has_others(self, connection: sqlite3.Connection) -> bool:
        rows = connection.execute(
            "SELECT reporter, pid, started FROM reporters WHERE pipeline_id = ?",
            (self._outbox.pipeline_id,),
        ).fetchall()
        dead = [(reporter,) for reporter, pid, started in rows if not _is_alive(pid, started)]
        connection.executemany("DELETE FROM reporters WHERE reporter = ?", dead)
        return len(rows) > len(dead)


def _is_alive(pid: int, started: float) -> bool:
    if pid == os.getpid():
        return abs(psutil.Process().create_time() - started) < 1
    try:
        return abs(psutil.Process(pid).create_time() - started) < 1
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:
        return True


class _ForkHandler(Protocol):
    def quiesced(self) -> AbstractContextManager[None]:
        """Hold the locks that a child process must not inherit in a locked state."""

    def reset_after_fork(self) -> None:
        """Drop, in the child, the resources that belong to the parent."""


_handlers: WeakSet[_ForkHandler] = WeakSet()
_quiesced: list[AbstractContextManager[Any]] = []
_forking = threading.Lock()  # two forks at once would wait for each other's locks


def register_fork_handler(handler: _ForkHandler) -> None:
    """Call the handler at each fork for as long as it lives."""
    _handlers.add(handler)


def _before_fork() -> None:
    _forking.acquire()
    for handler in list(_handlers):
        quiesced = handler.quiesced()
        quiesced.__enter__()
        _quiesced.append(quiesced)


def _after_fork_in_parent() -> None:
    while _quiesced:
        _quiesced.pop().__exit__(None, None, None)
    _forking.release()


def _after_fork_in_child() -> None:
    _after_fork_in_parent()
    for handler in list(_handlers):
        handler.reset_after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork,
        after_in_parent=_after_fork_in_parent,
        after_in_child=_after_fork_in_child,
    )
