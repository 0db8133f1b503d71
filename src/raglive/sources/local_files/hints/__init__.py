"""Hints of what may have changed: fast, and never trusted."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Protocol

from raglive.sources.local_files.hints.inbox import Inbox, Taken

if sys.platform == "linux":
    from raglive.sources.local_files.hints.inotify import InotifyHints as SystemHints
else:
    from raglive.sources.local_files.hints.observer import ObserverHints as SystemHints

__all__ = ["HintSource", "Inbox", "Taken", "open_hints"]


class HintSource(Protocol):
    """Tells the inbox of changes in the folders that it was told to watch."""

    @property
    def deaf_because(self) -> str | None:
        """Return why changes may go unheard; None when they do not."""
        ...

    def begin_scan(self) -> None:
        """Prepare for every folder to be named again."""
        ...

    def watch_folder(self, path: str, location: str) -> None:
        """Watch what lies directly in a folder; for any thread. Never fails."""
        ...

    def end_scan(self, folders: set[str]) -> None:
        """Watch no folder but these."""
        ...

    def close(self) -> None:
        """Stop; may be called twice."""
        ...


def open_hints(folder: Path, inbox: Inbox) -> HintSource:
    """Return the system's source of hints."""
    return SystemHints(folder, inbox)
