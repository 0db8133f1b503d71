"""One poll, repeated over kept-alive connections, with little CPU time on the client side."""

from __future__ import annotations

import asyncio
import re
import time
from typing import cast

__all__ = ["repeat_poll"]

_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)
_ETAG = re.compile(rb"\r\netag: ([^\r]+)", re.IGNORECASE)


class _Poller(asyncio.Protocol):
    """Repeats the request after each answer, with the ETag of the last full answer."""

    def __init__(self, request: str, etag: str, until: float) -> None:
        self._request = request
        self._etag = etag
        self._until = until
        self._rest = b""
        self.unchanged = 0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        self._transport = cast("asyncio.WriteTransport", transport)
        self._ask()

    def data_received(self, data: bytes) -> None:
        """Send the next request, or end."""
        self._rest += data
        head, found, body = self._rest.partition(b"\r\n\r\n")
        if not found:
            return
        if head[9:12] == b"304":
            self.unchanged += 1
        elif head[9:12] == b"200":
            length, etag = _LENGTH.search(head), _ETAG.search(head)
            if length is None or etag is None:
                self._end(ValueError("an answer has no length or no ETag"))
            elif len(body) < int(length[1]):
                return
            else:
                self._etag = etag[1].decode()
        else:
            self._end(ValueError(f"an answer was {head[:100].decode(errors='replace')}"))
        self._rest = b""
        self._ask() if time.perf_counter() < self._until else self._end(None)

    def connection_lost(self, error: Exception | None) -> None:
        """End."""
        self._end(error or ConnectionResetError("the connection was closed"))

    def _ask(self) -> None:
        self._transport.write(f"{self._request}If-None-Match: {self._etag}\r\n\r\n".encode())

    def _end(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None) if error is None else self.done.set_exception(error)
        self._transport.close()


async def repeat_poll(
    port: int, path: str, etag: str, token: str, *, connections: int, seconds: float
) -> int:
    """Return the number of 304 answers; raise ValueError for any status but 200 and 304."""
    loop = asyncio.get_running_loop()
    request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n"
    until = time.perf_counter() + seconds
    made = [
        await loop.create_connection(lambda: _Poller(request, etag, until), "127.0.0.1", port)
        for _ in range(connections)
    ]
    await asyncio.gather(*(poller.done for _, poller in made))
    return sum(poller.unchanged for _, poller in made)
