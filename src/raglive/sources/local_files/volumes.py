"""Mounted file systems: which report changes, and which have stable inode numbers."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Volume", "Volumes", "number_of"]

# Other machines, or the host of a virtual machine, write to these without the kernel knowing.
_SHARED = re.compile(
    r"nfs\d?|cifs|smb\w*|smbfs|9p|ceph|glusterfs|lustre|afs|gpfs|fuse(\..*)?|fuseblk|virtiofs|"
    r"vboxsf|prl_fs|vmhgfs|drvfs|davfs\d?|sshfs|ncpfs|coda|ocfs2|gfs2|beegfs|fakeowner"
)
# A file's inode number may change between two calls of stat.
_PASSING_INODES = re.compile(
    r"cifs|smb\w*|smbfs|9p|fuse(\..*)?|fuseblk|vfat|msdos|exfat|drvfs|vboxsf|prl_fs|vmhgfs"
)
_MOUNTS = Path("/proc/self/mountinfo")
_LARGEST = 2**63 - 1
_OCTAL = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Volume:
    """A mounted file system: its type, and a number that identifies it."""

    kind: str
    number: int = 0

    @property
    def is_shared(self) -> bool:
        """Whether files may change without a notification."""
        return _SHARED.fullmatch(self.kind) is not None

    @property
    def has_stable_inodes(self) -> bool:
        """Whether a file keeps its inode number."""
        return _PASSING_INODES.fullmatch(self.kind) is None


class Volumes:
    """The mounted file systems by device number. Created for each scan, as mounts change."""

    def __init__(self) -> None:
        self._mounts: list[tuple[str, str]] | None = None
        self._known: dict[int, Volume] = {}

    def of(self, device: int, path: str) -> Volume:
        """Return the file system of a path with this device number."""
        volume = self._known.get(device)
        if volume is None:
            volume = Volume(self._kind(os.path.realpath(path)), number_of(device, path))
            self._known[device] = volume
        return volume

    def shared(self) -> set[str]:
        """Return the types of the file systems so far whose changes may not be reported."""
        return {volume.kind for volume in self._known.values() if volume.is_shared}

    def _kind(self, path: str) -> str:
        if self._mounts is None:
            self._mounts = _read_mounts()
        above = (kind for point, kind in self._mounts if _is_above(point, path))
        return next(above, "unknown")


def number_of(device: int, path: str) -> int:
    """Return a number that identifies the file system of a path.

    This is the file system's own id if it has one. Device numbers are reused for other disks and
    may change at a reboot.
    """
    own = os.statvfs(path).f_fsid if sys.platform != "win32" else 0
    return (own or device) & _LARGEST


def _is_above(point: str, path: str) -> bool:
    return path == point or path.startswith(point.rstrip("/") + "/")


def _read_mounts() -> list[tuple[str, str]]:
    """Return mount points and types, the deepest and latest first."""
    try:
        lines = os.fsdecode(_MOUNTS.read_bytes()).splitlines()
    except OSError:
        return []
    mounts: list[tuple[str, str]] = []
    for line in lines:
        before, _, after = line.partition(" - ")
        point = _OCTAL.sub(lambda octal: chr(int(octal[1], 8)), before.split(" ")[4])
        mounts.insert(0, (point, after.split(" ")[0]))
    return sorted(mounts, key=lambda mount: -len(mount[0]))
