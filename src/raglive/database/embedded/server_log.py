"""The file that the server writes its messages to, bounded in size."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from raglive.database.embedded.errors import explain_os_errors

__all__ = ["ServerLog"]

_MOST_BYTES = 4_000_000
_KEPT_BYTES = 1_000_000
_TAIL_BYTES = 16_000


class ServerLog:
    """`server.log`, and in `server.log.1` the end of what came before it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "server.log"
        self._start = 0

    def open(self) -> BinaryIO:
        """Open the file for a server that starts now; the caller closes it."""
        self.trim()
        with explain_os_errors(self._path.parent):
            log = self._path.open("ab")
            self._path.chmod(0o600)
        self._start = log.tell()
        return log

    def trim(self) -> None:
        """Move the end of a file that has grown too long away, and empty it under the server."""
        with explain_os_errors(self._path.parent):
            if not self._path.exists() or self._path.stat().st_size <= _MOST_BYTES:
                return
            with self._path.open("r+b") as log:
                log.seek(-_KEPT_BYTES, 2)
                old = self._path.with_suffix(".log.1")
                old.write_bytes(log.read(_KEPT_BYTES))
                old.chmod(0o600)
                log.truncate(0)
            self._start = 0

    def since_start(self) -> str:
        """Return the end of what the server that started last has written."""
        try:
            with self._path.open("rb") as log:
                end = log.seek(0, 2)
                log.seek(max(min(self._start, end), end - _TAIL_BYTES))
                return log.read().decode(errors="replace").strip()
        except OSError:
            return ""
