"""Whose turn it is to send: one process at a time for each pipeline of an outbox."""

from __future__ import annotations

import hashlib
import os
import sys

from raglive_reporter.store import MEMORY

__all__ = ["Turn"]

if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


class Turn:
    """A lock on a file beside the outbox; the system frees it when its process dies."""

    def __init__(self, outbox_path: str, pipeline_id: str) -> None:
        mark = hashlib.sha256(pipeline_id.encode()).hexdigest()[:8]
        self._path = None if outbox_path == MEMORY else f"{outbox_path}-{mark}.lock"
        self._descriptor: int | None = None

    def take(self) -> bool:
        """Take the turn, unless another process has it; say whether it is ours."""
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

    def leave(self) -> None:
        """Give the turn to another; after a fork, leave it to the parent, who still holds it."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)
