"""What tells one version of a file from another, and one file from another."""

from __future__ import annotations

import os
from typing import Any, NamedTuple, Self

from raglive.sources.local_files.volumes import Volume

__all__ = ["Version"]

_LARGEST = 2**63 - 1


class Version(NamedTuple):
    """A file's identity and its state.

    `volume` is its file system's number; `inode` is 0 where the file system does not keep them.
    """

    volume: int
    inode: int
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, status: os.stat_result, volume: Volume) -> Self:
        """Return the version that a file's status tells of."""
        inode = status.st_ino & _LARGEST if volume.lasting_inodes else 0
        return cls(volume.number, inode, status.st_size, status.st_mtime_ns)

    @classmethod
    def kept_in(cls, source: dict[str, Any]) -> Self | None:
        """Return the version that the registry keeps; None when it keeps none."""
        try:
            return cls(source["volume"], source["inode"], source["size"], source["mtime_ns"])
        except (KeyError, TypeError):
            return None

    def source(self) -> dict[str, Any]:
        """Return what the registry is to keep."""
        return self._asdict()

    @property
    def identity(self) -> tuple[int, int, int] | None:
        """Return what stays the same when a file is moved, None when nothing certain does.

        The file system is left out: its number may change when the machine starts again.
        """
        return (self.inode, self.size, self.mtime_ns) if self.inode else None

    def same_as(self, other: Version) -> bool:
        """Say whether a file at one place is the same, unchanged."""
        same_inode = self.inode == other.inode or not (self.inode and other.inode)
        return same_inode and self.size == other.size and self.mtime_ns == other.mtime_ns
