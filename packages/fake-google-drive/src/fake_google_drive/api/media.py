"""Content as a response: whole or a range, and faults of the transfer."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator, MutableMapping

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from fake_google_drive.api.connection import cut
from fake_google_drive.content import Bytes, Content
from fake_google_drive.errors import DriveError
from fake_google_drive.faults import Fault, FaultKind

__all__ = ["Media"]

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")


class Media(Response):
    """A response with content; `wanted_range` is the request's `Range` header."""

    def __init__(
        self, content: Content, mime_type: str, wanted_range: str | None, fault: Fault | None
    ) -> None:
        self._content = content
        self._start, self._stop = _range(wanted_range, content.size)
        self._fault = None if fault is None else fault.kind
        headers = {"Accept-Ranges": "bytes", "Content-Length": str(self._stop - self._start)}
        is_part = self._stop - self._start < content.size
        if is_part:
            headers["Content-Range"] = f"bytes {self._start}-{self._stop - 1}/{content.size}"
        super().__init__(status_code=206 if is_part else 200, media_type=mime_type, headers=headers)

    def init_headers(self, headers: MutableMapping[str, str] | None = None) -> None:  # type: ignore[override]
        """Set the headers without computing a length from a body."""
        self.raw_headers = [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in {**(headers or {}), "Content-Type": self.media_type or ""}.items()
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the content, with the fault if there is one."""
        await send(
            {
                "type": "http.response.start",
                "status": self.status_code,
                "headers": self.raw_headers,
            }
        )
        stop = self._stop
        if self._fault is FaultKind.TRUNCATED:
            stop = self._start + (stop - self._start) // 2
        is_spoilt = self._fault is FaultKind.CORRUPTED
        async for chunk in _read(self._content, self._start, stop):
            body = bytes([chunk[0] ^ 0xFF]) + chunk[1:] if is_spoilt and chunk else chunk
            await send({"type": "http.response.body", "body": body, "more_body": True})
            is_spoilt = False
        if stop < self._stop:
            await cut(scope, receive)
            return
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _read(content: Content, start: int, stop: int) -> AsyncIterator[bytes]:
    chunks = content.chunks(start, stop)
    if isinstance(content, Bytes):
        for chunk in chunks:
            yield chunk
        return
    while chunk := await asyncio.to_thread(_next, chunks):
        yield chunk


def _next(chunks: Iterator[bytes]) -> bytes:
    return next(chunks, b"")


def _range(wanted: str | None, size: int) -> tuple[int, int]:
    found = None if wanted is None else _RANGE.fullmatch(wanted.strip())
    if found is None or not any(found.groups()):
        return 0, size
    first, last = found.groups()
    if not first:
        return max(0, size - int(last)), size
    start, stop = int(first), min(int(last) + 1 if last else size, size)
    if start >= size or stop <= start:
        message = "Request range not satisfiable"
        headers = {"Content-Range": f"bytes */{size}"}
        raise DriveError(416, "requestedRangeNotSatisfiable", message, headers=headers)
    return start, stop
