"""Hands an open document to a child process, which cannot open files itself."""

from __future__ import annotations

import os
import socket
import stat
import sys
from pathlib import Path

from raglive.extraction.errors import ExtractionFailed, Skipped
from raglive_contract.errors import ErrorCode

__all__ = [
    "PASSES_DESCRIPTORS",
    "ReadableFile",
    "open_document",
    "open_for_reading",
    "receive",
    "send",
]

ReadableFile = Path | int
"""A path, or an open descriptor."""

PASSES_DESCRIPTORS = sys.platform != "win32"


def open_for_reading(path: Path) -> int:
    """Open a file without waiting for the writer of a named pipe. Raises `OSError`."""
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    return os.open(path, flags | getattr(os, "O_CLOEXEC", 0))


def open_document(path: Path) -> int:
    """Open a regular file. Raises `Skipped` for another kind of file, and `ExtractionFailed`."""
    try:
        descriptor = open_for_reading(path)
    except OSError as error:
        message = f"The file cannot be read: {error.strerror or type(error).__name__}."
        raise ExtractionFailed(message, code=ErrorCode.FILE_UNREADABLE, retryable=True) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise Skipped("This is not a regular file.", code=ErrorCode.UNSUPPORTED)
    return descriptor


if sys.platform != "win32":

    def send(channel: socket.socket, descriptor: int) -> None:
        """Send a descriptor. Raises `OSError` when the child has exited."""
        socket.send_fds(channel, [b"\0"], [descriptor])

    def receive(channel: socket.socket) -> int:
        """Receive the descriptor of the next document. Raises EOFError when there is none."""
        _, descriptors, _, _ = socket.recv_fds(channel, 1, 1)
        if not descriptors:
            raise EOFError("no document was sent")
        return descriptors[0]
