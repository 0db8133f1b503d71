"""Notifications on Linux, through inotify.

Each folder is watched on its own with watchdog's inotify reader. Watchdog's recursive observer is
not used, because it delays events by half a second when a file is moved out, follows loops of
links, watches ignored folders, and does not report lost events or an exhausted watch limit.
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

from raglive.sources.local_files.location import to_location
from raglive.sources.local_files.notifications.queue import NotificationQueue, Writing

__all__ = ["InotifySource"]

log = structlog.get_logger()

_CLOSED = InotifyConstants.IN_CLOSE_WRITE | InotifyConstants.IN_MOVED_TO
_CREATED, _WRITTEN = InotifyConstants.IN_CREATE, InotifyConstants.IN_MODIFY
_LEFT = InotifyConstants.IN_DELETE | InotifyConstants.IN_MOVED_FROM
_ITSELF = (
    InotifyConstants.IN_DELETE_SELF | InotifyConstants.IN_MOVE_SELF | InotifyConstants.IN_UNMOUNT
)
_MASK = Mask(
    _CLOSED
    | _CREATED
    | _WRITTEN
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


class _ReaderThread(InotifyFD):
    """The reader thread; it requests a full check when it ends."""

    def __init__(self, queue: NotificationQueue) -> None:
        super().__init__()
        self._queue = queue

    def run(self) -> None:
        try:
            super().run()
        except OSError as error:
            log.warning("notifications_lost", error=str(error))
        finally:
            self._queue.check_everything("the reader of notifications ended")


class InotifySource:
    """Reports changes in each folder that a scan has read."""

    def __init__(self, folder: Path, queue: NotificationQueue) -> None:
        self._root = folder
        self._queue = queue
        self._lock = threading.Lock()
        self._ids = itertools.count(1)
        self._folders: dict[WatchDescriptor, tuple[CallbackId, str]] = {}
        self._reader: _ReaderThread | None = None
        self._limit: str | None = None
        self._closed = False

    @property
    def incomplete_because(self) -> str | None:
        """The limit of the operating system that prevents watching every folder, if any."""
        return self._limit

    def begin_scan(self) -> None:
        """Start the reader, or restart it if it died."""
        self._limit = None
        if self._closed or (self._reader is not None and self._reader.is_alive()):
            return
        self._stop_reader()
        try:
            self._reader = _ReaderThread(self._queue)
            self._reader.start()
        except OSError as error:
            self._limit = _LIMITS.get(error.errno or 0, str(error))

    def watch_folder(self, path: str, location: str) -> None:
        """Watch the direct content of a folder. Thread-safe, and never raises."""
        reader = self._reader
        if reader is None or self._limit is not None:
            return
        # A new id each time, so that watching a folder twice never removes its watch.
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
        """Stop watching all other folders."""
        if self._reader is None or self._limit is not None:
            return
        with self._lock:
            left = {w: one for w, one in self._folders.items() if one[1] not in folders}
            for watch in left:
                del self._folders[watch]
        self._reader.remove_callbacks([(watch, one[0]) for watch, one in left.items()])

    def close(self) -> None:
        """Stop watching. Idempotent."""
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
        """Handle an event of the reader."""
        with self._lock:
            watched = self._folders.get(event.wd)
        if watched is None:  # its folder is about to be read, or no longer watched
            return
        folder = watched[1]
        if not event.name:
            self._on_folder(event, folder)
            return
        name = to_location(event.name.decode(errors="surrogateescape"))
        place = f"{folder}/{name}" if folder else name
        if event.is_directory:
            self._queue.add(place)
        elif event.mask & _CLOSED:
            self._queue.add(place, Writing.CLOSED)
        elif event.mask & _WRITTEN:
            self._queue.add(place, Writing.WRITTEN, soon=False)
        elif event.mask & _CREATED:
            self._queue.add(place, Writing.CREATED, soon=False)
        else:
            self._queue.add(place, soon=bool(event.mask & _LEFT))

    def _on_folder(self, event: InotifyEvent, folder: str) -> None:
        if not event.mask & (_ITSELF | InotifyConstants.IN_ATTRIB):
            return
        if folder:
            self._queue.add(folder, soon=False)
        else:
            self._queue.check_everything("the watched folder itself was touched, moved or deleted")

    def on_watch_deleted(self, wd: WatchDescriptor) -> None:
        """Handle the end of a watch, for instance because its folder was deleted."""
        with self._lock:
            self._folders.pop(wd, None)

    def on_queue_overflow(self) -> None:
        """Handle events that the kernel dropped."""
        self._queue.check_everything("the kernel dropped notifications")
