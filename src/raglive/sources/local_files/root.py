"""The watched folder itself: whether it is there, and whether it is the one it was."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, Self

from raglive.sources.local_files.location import parent_of, path_of
from raglive.sources.local_files.version import Version
from raglive.sources.local_files.volumes import number_of
from raglive.store.registry.files import KnownFile
from raglive_contract.errors import RagliveError

__all__ = [
    "FolderUnavailable",
    "RootIdentity",
    "WatchState",
    "identify",
    "is_same_root",
    "on_absent_volume",
]


class FolderUnavailable(RagliveError):
    """The watched folder is not there, is not a folder, or cannot be read."""

    code = "watch_location_unavailable"
    retryable = True


class RootIdentity(NamedTuple):
    """Which folder it is, whatever it is called."""

    volume: int
    inode: int


class WatchState(NamedTuple):
    """What the watcher keeps beside the files."""

    root: RootIdentity | None
    deletions_approved: bool

    @classmethod
    def kept_in(cls, state: Mapping[str, Any]) -> Self:
        """Return what `PipelineRecord.watch_state` holds."""
        root = state.get("root")
        return cls(
            RootIdentity(int(root["volume"]), int(root["inode"])) if root else None,
            bool(state.get("deletions_approved")),
        )

    def kept(self) -> dict[str, Any]:
        """Return what `PipelineRecord.save_watch_state` is to keep."""
        root = None if self.root is None else self.root._asdict()
        return {"root": root, "deletions_approved": self.deletions_approved}


def identify(folder: Path) -> RootIdentity:
    """Return which folder is watched.

    Raises `FolderUnavailable` when there is none that can be read.
    """
    try:
        status = folder.stat()
        if not stat.S_ISDIR(status.st_mode):
            raise FolderUnavailable(
                f"{folder} is not a folder. Name a folder to watch, or set RAG_WATCH_DIRECTORY."
            )
        with os.scandir(folder) as entries:
            next(entries, None)
        return RootIdentity(number_of(status.st_dev, str(folder)), status.st_ino & 2**63 - 1)
    except OSError as error:
        raise FolderUnavailable(_explain(folder, error)) from error


def _explain(folder: Path, error: OSError) -> str:
    if isinstance(error, FileNotFoundError | NotADirectoryError):
        return (
            f"The folder {folder} does not exist. "
            "Create or mount it, or set RAG_WATCH_DIRECTORY to another."
        )
    if isinstance(error, PermissionError):
        return f"The folder {folder} may not be read. Give its reader the right to."
    return f"The folder {folder} cannot be read: {error.strerror}. Check its disk or network."


def is_same_root(
    kept: RootIdentity | None, now: RootIdentity, renumbered: Mapping[int, int]
) -> bool:
    """Say whether the folder is the one that was watched before.

    `renumbered` are file systems that were recognized by their files under another number.
    """
    if kept is None or kept == now:
        return True
    return kept.inode == now.inode and renumbered.get(kept.volume) == now.volume


def on_absent_volume(
    folder: Path, gone: Iterable[KnownFile], renumbered: Mapping[int, int]
) -> list[KnownFile]:
    """Return those of the missing files whose file system is not mounted where they lay."""
    present = _nearest_volume(folder)
    absent = []
    for file in gone:
        version = Version.kept_in(file.source)
        if version is not None:
            volume = present(parent_of(file.location))
            if volume not in (version.volume, renumbered.get(version.volume)):
                absent.append(file)
    return absent


def _nearest_volume(folder: Path) -> Callable[[str], int | None]:
    """Return what tells on which file system the nearest folder lies that exists."""
    found: dict[str, int | None] = {}

    def volume(location: str) -> int | None:
        if location not in found:
            path = path_of(folder, location)
            try:
                found[location] = number_of(path.stat().st_dev, str(path))
            except OSError:
                found[location] = volume(parent_of(location)) if location else None
        return found[location]

    return volume
