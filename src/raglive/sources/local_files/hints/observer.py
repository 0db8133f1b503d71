"""Hints from macOS, Windows and BSD: watchdog's observer of the whole tree."""

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

from raglive.sources.local_files.hints.inbox import Inbox
from raglive.sources.local_files.location import to_location

__all__ = ["ObserverHints"]

log = structlog.get_logger()

_READING = frozenset({"opened", "closed_no_write"})


class ObserverHints(FileSystemEventHandler):
    """Tells of changes anywhere below the watched folder."""

    def __init__(self, folder: Path, inbox: Inbox) -> None:
        self._root = os.path.realpath(folder)
        self._inbox = inbox
        self._observer: BaseObserver | None = None
        self._limit: str | None = None
        self._closed = False

    @property
    def deaf_because(self) -> str | None:
        """Return why changes may go unheard: links, and the folder itself, are not watched here."""
        return self._limit or "this system does not tell of every change"

    def begin_scan(self) -> None:
        """Start the observer, again if it died or if its folder came back."""
        self._limit = None
        if self._closed or (self._observer is not None and self._hears(self._observer)):
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
        """Do nothing: the whole tree is watched."""

    def end_scan(self, folders: set[str]) -> None:
        """Do nothing: the whole tree is watched."""

    def close(self) -> None:
        """Stop; may be called twice."""
        self._closed = True
        self._stop_observer()

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Take up what the observer saw."""
        if event.event_type in _READING or isinstance(event, DirModifiedEvent):
            return
        moved = isinstance(event, FileMovedEvent)
        closed = True if isinstance(event, FileClosedEvent) else None
        self._touch(event.src_path, closed=closed)
        if event.dest_path:
            self._touch(event.dest_path, closed=True if moved else None)

    def _touch(self, path: bytes | str, *, closed: bool | None) -> None:
        relative = os.path.relpath(os.fsdecode(path), self._root)
        if relative == os.curdir:
            self._inbox.doubt("the watched folder changed")
        elif not relative.startswith(os.pardir):
            self._inbox.touch(to_location(relative.replace(os.sep, "/")), closed=closed)

    def _hears(self, observer: BaseObserver) -> bool:
        return observer.is_alive() and all(one.is_alive() for one in observer.emitters)

    def _stop_observer(self) -> None:
        observer, self._observer = self._observer, None
        if observer is not None and observer.is_alive():
            observer.stop()
            observer.join(5)
