"""Which file systems tell of their changes, and which keep a file's number."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Volume", "Volumes", "number_of"]

# Written to by other machines, or by a host that the kernel does not hear.
_SHARED = re.compile(
    r"nfs\d?|cifs|smb\w*|smbfs|9p|ceph|glusterfs|lustre|afs|gpfs|fuse(\..*)?|fuseblk|virtiofs|"
    r"vboxsf|prl_fs|vmhgfs|drvfs|davfs\d?|sshfs|ncpfs|coda|ocfs2|gfs2|beegfs|fakeowner"
)
# A file's number may change whenever it is looked at again.
_PASSING_INODES = re.compile(
    r"cifs|smb\w*|smbfs|9p|fuse(\..*)?|fuseblk|vfat|msdos|exfat|drvfs|vboxsf|prl_fs|vmhgfs"
)
_MOUNTS = Path("/proc/self/mountinfo")
_LARGEST = 2**63 - 1
_OCTAL = re.compile(r"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Volume:
    """A mounted file system: its kind, and the number that tells it from others."""

    kind: str
    number: int = 0

    @property
    def is_shared(self) -> bool:
        """Say whether changes may come that no hint tells of."""
        return _SHARED.fullmatch(self.kind) is not None

    @property
    def lasting_inodes(self) -> bool:
        """Say whether a file keeps its number for as long as it lives."""
        return _PASSING_INODES.fullmatch(self.kind) is None


class Volumes:
    """The mounted file systems by device number; made anew for each scan, as mounts change."""

    def __init__(self) -> None:
        self._mounts: list[tuple[str, str]] | None = None
        self._known: dict[int, Volume] = {}

    def of(self, device: int, path: str) -> Volume:
        """Return the file system of a path that has this device number."""
        volume = self._known.get(device)
        if volume is None:
            volume = Volume(self._kind(os.path.realpath(path)), number_of(device, path))
            self._known[device] = volume
        return volume

    def shared(self) -> set[str]:
        """Return the kinds of those met whose changes may go unheard."""
        return {volume.kind for volume in self._known.values() if volume.is_shared}

    def _kind(self, path: str) -> str:
        if self._mounts is None:
            self._mounts = _read_mounts()
        above = (kind for point, kind in self._mounts if _is_above(point, path))
        return next(above, "unknown")


def number_of(device: int, path: str) -> int:
    """Return the number of a path's file system.

    Its own, where it has one: a device number is given to the next disk once this one has gone,
    and may be another when the machine starts again.
    """
    own = os.statvfs(path).f_fsid if sys.platform != "win32" else 0
    return (own or device) & _LARGEST


def _is_above(point: str, path: str) -> bool:
    return path == point or path.startswith(point.rstrip("/") + "/")


def _read_mounts() -> list[tuple[str, str]]:
    """Return mount points and their kinds, the innermost and latest first."""
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
