"""Which files are open for writing, as far as the operating system shows other processes."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from pathlib import Path

__all__ = ["inodes_open_for_writing"]

_PROCESSES = Path("/proc")
_FLAGS = re.compile(r"^flags:\s*([0-7]+)", re.MULTILINE)


def inodes_open_for_writing() -> set[int]:
    """Return the inode numbers of regular files that a process has open for writing.

    Linux shows an ordinary user the files of their own processes only; other systems show none.
    """
    if not (_PROCESSES / "self" / "fd").is_dir():
        return set()
    found: set[int] = set()
    for process in _PROCESSES.iterdir():
        if process.name.isdecimal():
            with contextlib.suppress(OSError):  # it ended, or belongs to somebody else
                found |= _written_by(process)
    return found


def _written_by(process: Path) -> set[int]:
    found = set()
    for name in os.listdir(process / "fd"):  # noqa: PTH208 - only the names are needed
        with contextlib.suppress(OSError):
            status = (process / "fd" / name).stat()
            if stat.S_ISREG(status.st_mode) and _writes(process / "fdinfo" / name):
                found.add(status.st_ino)
    return found


def _writes(descriptor: Path) -> bool:
    flags = _FLAGS.search(descriptor.read_text("ascii"))
    return flags is not None and int(flags[1], 8) & os.O_ACCMODE != os.O_RDONLY
