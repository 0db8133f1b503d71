"""The environment variables of a child process, and the folder that it reads its libraries from."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
from contextlib import suppress
from pathlib import Path

__all__ = ["child_environment", "private_folder"]

_INHERITED = ("LANG", "LC_ALL", "TEMP", "SYSTEMROOT", "LD_LIBRARY_PATH")
_CACHE = "cache"


def child_environment(ocr_data: Path | None) -> dict[str, str]:
    """Return an environment without secrets, and with one thread for each native library.

    `ocr_data` is the folder with Tesseract's language files. Raises `OSError`.
    """
    folder = private_folder()
    (folder / _CACHE / "ocr").mkdir(parents=True, exist_ok=True)  # the child cannot create it
    inherited = {name: os.environ[name] for name in _INHERITED if name in os.environ}
    return inherited | {
        "TMPDIR": str(folder),
        "KREUZBERG_CACHE_DIR": str(folder / _CACHE),
        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
        "RAYON_NUM_THREADS": "1",
        "TOKIO_WORKER_THREADS": "1",
        **({} if ocr_data is None else {"TESSDATA_PREFIX": str(ocr_data)}),
    }


def private_folder() -> Path:
    """Return a temporary folder of this account, the same one each time unless it is unsafe.

    Raises `OSError`.
    """
    if sys.platform == "win32":
        return Path(tempfile.gettempdir())  # already private to the account
    path = Path(tempfile.gettempdir()) / f"raglive-extraction-{os.geteuid()}"
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
    return path if _is_private(path) else Path(tempfile.mkdtemp(prefix="raglive-extraction-"))


def _is_private(path: Path) -> bool:
    found = path.lstat()
    return (
        stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o077
    )
