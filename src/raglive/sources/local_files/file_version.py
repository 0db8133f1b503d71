"""The version of a file: identifies the file, and its content without reading it."""

from __future__ import annotations

import os
from typing import Any, NamedTuple, Self

from raglive.sources.local_files.volumes import Volume

__all__ = ["FileVersion"]

_LARGEST = 2**63 - 1


class FileVersion(NamedTuple):
    """A file's identity, size, and times of modification and of change.

    `volume` is the number of its file system. `inode` and `ctime_ns` are 0 if that file system does
    not keep them. `link_volume` is the number of the file system that holds the link through which
    the file was reached; 0 without a link.
    """

    volume: int
    inode: int
    size: int
    mtime_ns: int
    ctime_ns: int = 0
    link_volume: int = 0

    @classmethod
    def of(cls, status: os.stat_result, volume: Volume, link_volume: int = 0) -> Self:
        """Read the version from a file's status."""
        inode, changed = 0, 0
        if volume.has_stable_inodes:
            inode, changed = status.st_ino & _LARGEST, status.st_ctime_ns
        return cls(volume.number, inode, status.st_size, status.st_mtime_ns, changed, link_volume)

    @classmethod
    def from_json(cls, source: dict[str, Any]) -> Self | None:
        """Read the version from the registry; None if the registry has none for the file."""
        try:
            return cls(
                source["volume"],
                source["inode"],
                source["size"],
                source["mtime_ns"],
                ctime_ns=source.get("ctime_ns", 0),
                link_volume=source.get("link_volume", 0),
            )
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
        """Check whether a file at the same location is unchanged.

        A program can reset the modification time, as `rsync --times` does, but not the change time.
        """
        same_inode = self.inode == other.inode or not (self.inode and other.inode)
        same_change = self.ctime_ns == other.ctime_ns or not (self.ctime_ns and other.ctime_ns)
        same_content = self.size == other.size and self.mtime_ns == other.mtime_ns
        return same_inode and same_change and same_content
