"""Where kreuzberg unpacks the PDF library that it carries: a folder that nobody else writes to.

Left to itself it takes one below the common temporary folder, where any account of the machine
could put a library of its own first.
"""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

__all__ = ["private_folder"]


def private_folder() -> Path:
    """Return a folder of this account's, the same one every time if it can be had.

    Raises `OSError`.
    """
    if sys.platform == "win32":
        return Path(tempfile.gettempdir())  # is the account's own
    path = Path(tempfile.gettempdir()) / f"raglive-extraction-{os.geteuid()}"
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
    return path if _is_private(path) else Path(tempfile.mkdtemp(prefix="raglive-extraction-"))


def _is_private(path: Path) -> bool:
    found = path.lstat()
    return (
        stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077
    )
