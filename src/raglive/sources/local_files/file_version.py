"""The version of a file: identifies the file, and its content without reading it."""

from __future__ import annotations

import os
from typing import Any, NamedTuple, Self

from raglive.sources.local_files.volumes import Volume

__all__ = ["FileVersion"]

_LARGEST = 2**63 - 1


class FileVersion(NamedTuple):
    """A file's identity, size and modification time.

    `volume` is the number of its file system. `inode` is 0 if that file system reuses inodes.
    """

    volume: int
    inode: int
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, status: os.stat_result, volume: Volume) -> Self:
        """Read the version from a file's status."""
        inode = status.st_ino & _LARGEST if volume.has_stable_inodes else 0
        return cls(volume.number, inode, status.st_size, status.st_mtime_ns)

    @classmethod
    def from_json(cls, source: dict[str, Any]) -> Self | None:
        """Read the version from the registry; None if the registry has none for the file."""
        try:
            return cls(source["volume"], source["inode"], source["size"], source["mtime_ns"])
        except (KeyError, TypeError):
            return None

    def to_json(self) -> dict[str, Any]:
        """Return the value for the registry."""
        return self._asdict()

    @property
    def identity(self) -> tuple[int, int, int] | None:
        """Inode, size and modification time, which a move preserves; None without an inode.

        The file system is not included, because its number may change at a reboot.
        """
        return (self.inode, self.size, self.mtime_ns) if self.inode else None

    def same_as(self, other: FileVersion) -> bool:
        """Check whether a file at the same location is unchanged."""
        same_inode = self.inode == other.inode or not (self.inode and other.inode)
        return same_inode and self.size == other.size and self.mtime_ns == other.mtime_ns
