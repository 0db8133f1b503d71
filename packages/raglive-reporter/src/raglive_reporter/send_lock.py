"""The lock that keeps two processes from sending the same events."""

from __future__ import annotations

import hashlib
import os
import sys

from raglive_reporter.outbox_file import IN_MEMORY

__all__ = ["SendLock"]

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class SendLock:
    """A file lock that lets one process at a time send a pipeline's events.

    The operating system releases it when its process dies.
    """

    def __init__(self, outbox_path: str, pipeline_id: str) -> None:
        suffix = hashlib.sha256(pipeline_id.encode()).hexdigest()[:8]
        self._path = None if outbox_path == IN_MEMORY else f"{outbox_path}-{suffix}.lock"
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Take the lock unless another process holds it; return whether this process holds it."""
        if self._path is None or self._descriptor is not None:
            return True
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            _lock(descriptor)
        except OSError:
            os.close(descriptor)
            return False
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Close the lock file; in a forked child, the parent still holds the lock afterwards."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
