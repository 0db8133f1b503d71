"""The watched folder: its identity, and the state that the watcher keeps about it."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

from raglive.sources.local_files.volumes import number_of
from raglive.sources.source import FolderUnavailable

__all__ = ["FolderIdentity", "FolderState", "identify"]


class FolderIdentity(NamedTuple):
    """Identifies a folder independently of its path."""

    volume: int
    inode: int


class FolderState(NamedTuple):
    """The folder that was watched last, and the deletions that are held back.

    `held` is the number of files that was reported. An approval is for so many, and not for files
    that disappeared since.
    """

    root: FolderIdentity | None
    deletions_approved: bool = False
    held: int = 0

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> Self:
        """Read the value of `PipelineRecord.watch_state`."""
        root = state.get("root")
        return cls(
            FolderIdentity(int(root["volume"]), int(root["inode"])) if root else None,
            bool(state.get("deletions_approved")),
            int(state.get("held", 0)),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the value for `PipelineRecord.save_watch_state`."""
        root = None if self.root is None else self.root._asdict()
        return self._asdict() | {"root": root}


def identify(folder: Path) -> FolderIdentity:
    """Return the identity of a folder. Raises `FolderUnavailable` if it cannot be read."""
    try:
        status = folder.stat()
        if not stat.S_ISDIR(status.st_mode):
            raise FolderUnavailable(
                f"{folder} is not a folder. Name a folder to watch, or set RAG_WATCH_DIRECTORY."
            )
        with os.scandir(folder) as entries:
            next(entries, None)
        return FolderIdentity(number_of(status.st_dev, str(folder)), status.st_ino & 2**63 - 1)
    except OSError as error:
        raise FolderUnavailable(_explain(folder, error)) from error


def _explain(folder: Path, error: OSError) -> str:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return (
            f"The folder {folder} does not exist. "
            "Create or mount it, or set RAG_WATCH_DIRECTORY to another."
        )
    if isinstance(error, PermissionError):
        return f"The folder {folder} may not be read. Give the pipeline read permission."
    return f"The folder {folder} cannot be read: {error.strerror}. Check its disk or network."
