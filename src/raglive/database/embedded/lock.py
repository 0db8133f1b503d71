"""One owner per data folder: a lock that the kernel drops when its holder dies."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import time
from pathlib import Path

from raglive.database.embedded.errors import (
    AlreadyRunningError,
    EmbeddedPostgresError,
    explain_os_errors,
)

__all__ = ["FolderLock"]

_PATIENCE_SECONDS = 0.5  # a holder that was just killed may still be on its way out
_POLL_SECONDS = 0.01


class FolderLock:
    """Holds `<folder>/lock` from `acquire` to `release`; its descriptor is not inherited."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / "lock"
        self._descriptor: int | None = None

    async def acquire(self) -> None:
        """Take the lock; raise AlreadyRunningError, with the holder's pid, if it is held."""
        with explain_os_errors(self._folder):
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            deadline = time.monotonic() + _PATIENCE_SECONDS
            while not self._lock(descriptor):
                if time.monotonic() > deadline:
                    raise AlreadyRunningError(self._folder, _pid_in(descriptor))
                await asyncio.sleep(_POLL_SECONDS)
            with explain_os_errors(self._folder):
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    def release(self) -> None:
        """Give the lock back; may be called again."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _lock(self, descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in {errno.EWOULDBLOCK, errno.EACCES}:
                return False
            raise EmbeddedPostgresError(
                f"The disk that holds {self._folder} cannot lock files ({error.strerror}), so two "
                "servers could damage the data. Use a data folder on a local disk."
            ) from error
        return True


def _pid_in(descriptor: int) -> int | None:
    text = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
    return int(text) if text.isdecimal() else None
