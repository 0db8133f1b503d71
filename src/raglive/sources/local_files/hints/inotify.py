"""Hints from Linux.

Folder by folder through watchdog's reader of inotify, rather than its recursive observer: that one
holds every event back for half a second when a file is moved out, follows loops of links, watches
what is left out, and keeps to itself that events were lost or that no more folders can be watched.
"""

from __future__ import annotations

import errno
import itertools
import threading
from pathlib import Path

import structlog
from watchdog.observers.inotify_c import (
    CallbackId,
    InotifyConstants,
    InotifyEvent,
    InotifyFD,
    Mask,
    WatchDescriptor,
)

from raglive.sources.local_files.hints.inbox import Inbox
from raglive.sources.local_files.location import to_location

__all__ = ["InotifyHints"]

log = structlog.get_logger()

_CLOSED = InotifyConstants.IN_CLOSE_WRITE | InotifyConstants.IN_MOVED_TO
_OPEN = InotifyConstants.IN_CREATE | InotifyConstants.IN_MODIFY
_LEFT = InotifyConstants.IN_DELETE | InotifyConstants.IN_MOVED_FROM
_ITSELF = (
    InotifyConstants.IN_DELETE_SELF | InotifyConstants.IN_MOVE_SELF | InotifyConstants.IN_UNMOUNT
)
_MASK = Mask(
    _CLOSED
    | _OPEN
    | _LEFT
    | InotifyConstants.IN_DELETE_SELF
    | InotifyConstants.IN_MOVE_SELF
    | InotifyConstants.IN_ATTRIB
    | InotifyConstants.IN_ONLYDIR
    | InotifyConstants.IN_EXCL_UNLINK
)
_LIMITS = {
    errno.ENOSPC: "the limit of watched folders is reached; raise fs.inotify.max_user_watches",
    errno.EMFILE: "the limit of watchers is reached; raise fs.inotify.max_user_instances",
}


class _Reader(InotifyFD):
    """The thread that reads; says so when it ends."""

    def __init__(self, inbox: Inbox) -> None:
        super().__init__()
        self._inbox = inbox

    def run(self) -> None:
        try:
            super().run()
        except OSError as error:
            log.warning("hints_lost", error=str(error))
        finally:
            self._inbox.doubt("the reader of hints ended")


class InotifyHints:
    """Tells of changes in each folder that a scan has entered."""

    def __init__(self, folder: Path, inbox: Inbox) -> None:
        self._root = folder
        self._inbox = inbox
        self._lock = threading.Lock()
        self._ids = itertools.count(1)
        self._folders: dict[WatchDescriptor, tuple[CallbackId, str]] = {}
        self._reader: _Reader | None = None
        self._limit: str | None = None
        self._closed = False

    @property
    def deaf_because(self) -> str | None:
        """Return why changes may go unheard; None when they do not."""
        return self._limit

    def begin_scan(self) -> None:
        """Prepare for every folder to be named again; start the reader, again if it died."""
        self._limit = None
        if self._closed or (self._reader is not None and self._reader.is_alive()):
            return
        self._stop_reader()
        try:
            self._reader = _Reader(self._inbox)
            self._reader.start()
        except OSError as error:
            self._limit = _LIMITS.get(error.errno or 0, str(error))

    def watch_folder(self, path: str, location: str) -> None:
        """Watch what lies directly in a folder; for any thread. Never fails."""
        reader = self._reader
        if reader is None or self._limit is not None:
            return
        # With an id of its own each time, so that naming a folder again never takes its watch away.
        callback = CallbackId(next(self._ids))
        try:
            watch = reader.add_callback(
                path.encode(errors="surrogateescape"), _MASK, self, callback
            )
        except OSError as error:
            if error.errno in _LIMITS:
                self._limit = _LIMITS[error.errno]
            return
        with self._lock:
            before = self._folders.pop(watch, None)
            if watch >= 0:
                self._folders[watch] = (callback, location)
        stale = [(watch, before[0])] if before else []
        reader.remove_callbacks(stale if watch >= 0 else [(watch, callback)])

    def end_scan(self, folders: set[str]) -> None:
        """Watch no folder but these."""
        if self._reader is None or self._limit is not None:
            return
        with self._lock:
            left = {w: one for w, one in self._folders.items() if one[1] not in folders}
            for watch in left:
                del self._folders[watch]
        self._reader.remove_callbacks([(watch, one[0]) for watch, one in left.items()])

    def close(self) -> None:
        """Stop; may be called twice."""
        self._closed = True
        self._stop_reader()

    def _stop_reader(self) -> None:
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.stop()
            reader.join(5)
        with self._lock:
            self._folders.clear()

    def on_event(self, event: InotifyEvent) -> None:
        """Take up what the reader has read."""
        with self._lock:
            watched = self._folders.get(event.wd)
        if watched is None:  # its folder is about to be read, or is watched no longer
            return
        folder = watched[1]
        if not event.name:
            self._on_folder(event, folder)
            return
        name = to_location(event.name.decode(errors="surrogateescape"))
        place = f"{folder}/{name}" if folder else name
        if event.is_directory:
            self._inbox.touch(place)
        elif event.mask & _CLOSED:
            self._inbox.touch(place, closed=True)
        elif event.mask & _OPEN:
            self._inbox.touch(place, closed=False, soon=False)
        else:
            self._inbox.touch(place, soon=bool(event.mask & _LEFT))

    def _on_folder(self, event: InotifyEvent, folder: str) -> None:
        if not event.mask & (_ITSELF | InotifyConstants.IN_ATTRIB):
            return
        if folder:
            self._inbox.touch(folder, soon=False)
        else:
            self._inbox.doubt("the watched folder itself was touched, moved or deleted")

    def on_watch_deleted(self, wd: WatchDescriptor) -> None:
        """Forget a folder that is gone."""
        with self._lock:
            self._folders.pop(wd, None)

    def on_queue_overflow(self) -> None:
        """Take up that the kernel dropped events."""
        self._inbox.doubt("more changes at once than the kernel could tell of")
