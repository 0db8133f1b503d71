"""The TCP connection below a request: what is written to it is watched, and it is aborted in time.

ASGI tells nothing of it. uvicorn's `receive` is a method of what holds the transport; under another
server there is no wire, and everything goes through ASGI.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, Self

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["StalledConnections", "Wire", "binary_frame", "text_frame", "wire_of"]

log = structlog.get_logger()

CHECKS = 4  # without any change, until a connection is given up
KEY = "raglive.wire"


class Wire:
    """A transport that is aborted when what was written to it does not drain for `seconds`.

    What has gone out is what was written less what waits: more may be written meanwhile. `count`
    hears of every byte that is written.
    """

    def __init__(
        self, transport: asyncio.Transport, seconds: float, count: Callable[[int], None]
    ) -> None:
        self._transport = transport
        self._interval = seconds / CHECKS
        self._count = count
        self._written = 0
        self._gone = 0
        self._unchanged = 0
        self._timer: asyncio.TimerHandle | None = None

    @classmethod
    def below(cls, receive: Receive, seconds: float, count: Callable[[int], None]) -> Self | None:
        """Return the wire of a request; None where the server hides it."""
        transport = getattr(getattr(receive, "__self__", None), "transport", None)
        return None if transport is None else cls(transport, seconds, count)

    @property
    def held_bytes(self) -> int:
        """Return how much was written and not taken by the system yet."""
        return 0 if self._transport.is_closing() else self._transport.get_write_buffer_size()

    def laid_in(self, scope: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Return the scope for `wire_of`."""
        return {**scope, KEY: self}

    def write(self, data: bytes) -> None:
        """Write at once, whatever waits already; to a connection that ends, nothing."""
        if not self._transport.is_closing():
            self._transport.write(data)
            self.note(len(data))

    def note(self, size: int) -> None:
        """Look after so many bytes that were written."""
        self._written += size
        self._count(size)
        if self._timer is None and (held := self.held_bytes):
            self._gone = self._written - held
            self._unchanged = 0
            self._again()

    def _again(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._interval, self._look)

    def _look(self) -> None:
        self._timer = None
        waiting = self.held_bytes
        if not waiting:
            return
        gone = self._written - waiting
        self._unchanged = 0 if gone > self._gone else self._unchanged + 1
        self._gone = max(gone, self._gone)
        if self._unchanged < CHECKS:
            self._again()
            return
        log.warning("connection_stalled", waiting_bytes=waiting)
        self._transport.abort()


def wire_of(scope: Mapping[str, Any]) -> Wire | None:
    """Return the wire that was laid in a scope."""
    found: Wire | None = scope.get(KEY)
    return found


def text_frame(payload: bytes) -> bytes:
    """Return a whole WebSocket message of UTF-8 text, as a server sends it (RFC 6455, 5.2)."""
    return _frame(b"\x81", payload)


def binary_frame(payload: bytes) -> bytes:
    """Return a whole WebSocket message of bytes, as a server sends it."""
    return _frame(b"\x82", payload)


def _frame(opening: bytes, payload: bytes) -> bytes:
    length = len(payload)
    if length < 126:
        size = length.to_bytes(1)
    elif length < 1 << 16:
        size = b"\x7e" + length.to_bytes(2)
    else:
        size = b"\x7f" + length.to_bytes(8)
    return opening + size + payload


class StalledConnections:
    """Middleware that aborts a connection when what was written does not drain for `seconds`.

    It must be the outermost, to find the wire; whatever is inside finds it in the scope.
    """

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self._app = app
        self._seconds = seconds
        self.sent_bytes = 0
        self.received_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and watch what is written to it."""
        wire = Wire.below(receive, self._seconds, self._count)
        if wire is None:
            await self._app(scope, receive, send)
            return

        async def watched(message: Message) -> None:
            await send(message)
            wire.note(_size(message))

        async def counted() -> Message:
            message = await receive()
            self.received_bytes += _size(message)
            return message

        await self._app(wire.laid_in(scope), counted, watched)

    def _count(self, size: int) -> None:
        self.sent_bytes += size


def _size(message: Message) -> int:
    return len(message.get("text") or message.get("bytes") or message.get("body") or "")
