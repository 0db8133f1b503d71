"""File system notifications: where to look for changes soon. A full check remains necessary."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Protocol

from raglive.sources.local_files.notifications.queue import (
    NotificationQueue,
    Notifications,
    Writing,
)

if sys.platform == "linux":
    from raglive.sources.local_files.notifications.inotify import InotifySource as SystemSource
else:
    from raglive.sources.local_files.notifications.observer import ObserverSource as SystemSource

__all__ = [
    "NotificationQueue",
    "NotificationSource",
    "Notifications",
    "Writing",
    "open_notifications",
]


class NotificationSource(Protocol):
    """Puts changes in the watched folders into a `NotificationQueue`."""

    @property
    def incomplete_because(self) -> str | None:
        """The reason why some changes may not be reported, None if all are."""
        ...

    def begin_scan(self) -> None:
        """Prepare for `watch_folder` calls of a full scan, and restart a reader that died."""
        ...

    def watch_folder(self, path: str, location: str) -> None:
        """Watch the direct content of a folder. Thread-safe, and never raises."""
        ...

    def end_scan(self, folders: set[str]) -> None:
        """Stop watching all other folders."""
        ...

    def close(self) -> None:
        """Stop watching. Idempotent."""
        ...


def open_notifications(folder: Path, queue: NotificationQueue) -> NotificationSource:
    """Return the notification source of this operating system."""
    return SystemSource(folder, queue)
