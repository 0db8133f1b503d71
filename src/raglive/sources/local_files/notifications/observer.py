"""Notifications on macOS, Windows and BSD, through watchdog's recursive observer."""

from __future__ import annotations

import os
from pathlib import Path

import structlog
from watchdog.events import (
    DirModifiedEvent,
    FileClosedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

from raglive.sources.local_files.location import to_location
from raglive.sources.local_files.notifications.queue import NotificationQueue, Writing

__all__ = ["ObserverSource"]

log = structlog.get_logger()

_READING = frozenset({"opened", "closed_no_write"})


class ObserverSource(FileSystemEventHandler):
    """Reports changes anywhere below the watched folder."""

    def __init__(self, folder: Path, queue: NotificationQueue) -> None:
        self._root = os.path.realpath(folder)
        self._queue = queue
        self._observer: BaseObserver | None = None
        self._limit: str | None = None
        self._closed = False

    @property
    def incomplete_because(self) -> str | None:
        """Always a reason: links, and the watched folder itself, are not watched here."""
        return self._limit or "this system does not report every change"

    def begin_scan(self) -> None:
        """Start the observer, or restart it if it died or if its folder was replaced."""
        self._limit = None
        if self._closed or (self._observer is not None and self._is_running(self._observer)):
            return
        self._stop_observer()
        try:
            observer = Observer()
            observer.schedule(self, self._root, recursive=True)
            observer.start()
            self._observer = observer
        except (OSError, RuntimeError) as error:
            self._limit = str(error)

    def watch_folder(self, path: str, location: str) -> None:
        """Do nothing, because the whole tree is watched."""

    def end_scan(self, folders: set[str]) -> None:
        """Do nothing, because the whole tree is watched."""

    def close(self) -> None:
        """Stop watching. Idempotent."""
        self._closed = True
        self._stop_observer()

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Handle an event of the observer."""
        if event.event_type in _READING or isinstance(event, DirModifiedEvent):
            return
        moved = isinstance(event, FileMovedEvent)
        self._add(event.src_path, Writing.CLOSED if isinstance(event, FileClosedEvent) else None)
        if event.dest_path:
            self._add(event.dest_path, Writing.CLOSED if moved else None)

    def _add(self, path: bytes | str, writing: Writing | None) -> None:
        relative = os.path.relpath(os.fsdecode(path), self._root)
        if relative == os.curdir:
            self._queue.check_everything("the watched folder changed")
        elif not relative.startswith(os.pardir):
            self._queue.add(to_location(relative.replace(os.sep, "/")), writing)

    def _is_running(self, observer: BaseObserver) -> bool:
        return observer.is_alive() and all(one.is_alive() for one in observer.emitters)

    def _stop_observer(self) -> None:
        observer, self._observer = self._observer, None
        if observer is not None and observer.is_alive():
            observer.stop()
            observer.join(5)
