"""The content of a file, in memory or on disk, and its checksums."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Protocol

__all__ = ["Bytes", "Checksums", "Content", "LocalFile"]

CHUNK_BYTES = 256 * 1024


class Checksums(NamedTuple):
    """Checksums in hexadecimal, as in Drive."""

    md5: str
    sha1: str
    sha256: str


class Content(Protocol):
    """A file's content."""

    @property
    def size(self) -> int:
        """The length in bytes."""

    @property
    def checksums(self) -> Checksums:
        """The checksums of the whole content."""

    def chunks(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the bytes from `start` up to `stop`."""


class Bytes:
    """Content in memory."""

    __slots__ = ("_checksums", "data")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self._checksums: Checksums | None = None

    @property
    def size(self) -> int:
        """The length in bytes."""
        return len(self.data)

    @property
    def checksums(self) -> Checksums:
        """The checksums, computed at the first use."""
        if self._checksums is None:
            self._checksums = _checksums(self.chunks(0, self.size))
        return self._checksums

    def chunks(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the bytes from `start` up to `stop`."""
        for at in range(start, stop, CHUNK_BYTES):
            yield self.data[at : min(at + CHUNK_BYTES, stop)]


class LocalFile:
    """Content on disk, with the size and time it had at construction."""

    def __init__(self, path: Path) -> None:
        self.path = path
        status = path.stat()
        self.size = status.st_size
        self.modified_ns = status.st_mtime_ns

    @cached_property
    def checksums(self) -> Checksums:
        """The checksums, computed at the first use."""
        return _checksums(self.chunks(0, self.size))

    def chunks(self, start: int, stop: int) -> Iterator[bytes]:
        """Yield the bytes from `start` up to `stop`; fewer when the file has shrunk."""
        with self.path.open("rb") as file:
            file.seek(start)
            left = stop - start
            while left > 0 and (chunk := file.read(min(CHUNK_BYTES, left))):
                left -= len(chunk)
                yield chunk


def _checksums(chunks: Iterator[bytes]) -> Checksums:
    digests = [hashlib.new(name, usedforsecurity=False) for name in ("md5", "sha1", "sha256")]
    for chunk in chunks:
        for digest in digests:
            digest.update(chunk)
    return Checksums(*(digest.hexdigest() for digest in digests))
