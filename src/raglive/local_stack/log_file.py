"""A log file that stays small while other processes append to it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

__all__ = ["LogFile", "keep_small"]

_MAX_BYTES = 16 * 2**20
_TAIL_BYTES = 16_000
_CHECK_SECONDS = 1.0


class LogFile:
    """A log whose last quarter moves to `NAME.log.1` when it is longer than `max_bytes`.

    It is copied and then truncated, as `logrotate` does with `copytruncate`, because the process
    that writes it keeps it open. Lines that arrive in between are lost. Methods raise `OSError`.
    """

    def __init__(self, path: Path, max_bytes: int = _MAX_BYTES) -> None:
        self.path = path
        self._max_bytes = max_bytes
        self._start = 0

    def open(self) -> BinaryIO:
        """Open the log for a process that is about to start; the caller closes it."""
        self.trim()
        log = self.path.open("ab")
        self.path.chmod(0o600)
        self._start = log.tell()
        return log

    def trim(self) -> None:
        """Rotate the log if it is too long."""
        if not self.path.exists() or self.path.stat().st_size <= self._max_bytes:
            return
        with self.path.open("r+b") as log:
            kept = self._max_bytes // 4
            log.seek(-kept, os.SEEK_END)
            old = self.path.with_name(f"{self.path.name}.1")
            old.write_bytes(log.read(kept))
            old.chmod(0o600)
            log.truncate(0)
        self._start = 0

    def since_start(self) -> str:
        """Return the end of what the process that was started last has written."""
        try:
            with self.path.open("rb") as log:
                end = log.seek(0, os.SEEK_END)
                log.seek(max(min(self._start, end), end - _TAIL_BYTES))
                return log.read().decode(errors="replace").strip()
        except OSError:
            return ""


async def keep_small(logs: Sequence[LogFile]) -> None:
    """Trim the logs until cancelled."""
    while True:
        for log in logs:
            with suppress(OSError):  # it is tried again
                await asyncio.to_thread(log.trim)
        await asyncio.sleep(_CHECK_SECONDS)
