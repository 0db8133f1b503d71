"""The TCP connection of a request: direct writes, WebSocket frames, and the stall time-out.

ASGI does not expose the connection. uvicorn's `receive` is a method of the object that owns the
transport, so the writer takes it from there. Under another server there is no writer, and all
output goes through ASGI.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any, Self

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["ConnectionWriter", "StallTimeout", "Traffic", "binary_frame", "text_frame", "writer_of"]

log = structlog.get_logger()

CHECKS = 4  # of the write buffer within one stall time-out
SCOPE_KEY = "raglive.connection_writer"


class ConnectionWriter:
    """Writes to a transport, and aborts it when its buffer does not drain for `seconds`.

    Progress is measured as bytes written minus bytes buffered, because more may be written while
    the buffer drains. `on_write` receives the size of every write.
    """

    def __init__(
        self, transport: asyncio.Transport, seconds: float, on_write: Callable[[int], None]
    ) -> None:
        self._transport = transport
        self._interval = seconds / CHECKS
        self._on_write = on_write
        self._written = 0
        self._drained = 0
        self._checks_without_progress = 0
        self._timer: asyncio.TimerHandle | None = None

    @classmethod
    def from_receive(
        cls, receive: Receive, seconds: float, on_write: Callable[[int], None]
    ) -> Self | None:
        """Find the transport behind an ASGI `receive`; None where the server does not expose it."""
        transport = getattr(getattr(receive, "__self__", None), "transport", None)
        return None if transport is None else cls(transport, seconds, on_write)

    @property
    def buffered_bytes(self) -> int:
        """Bytes written that the operating system has not taken yet."""
        return 0 if self._transport.is_closing() else self._transport.get_write_buffer_size()

    def add_to_scope(self, scope: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        """Copy a scope and add the writer, for `writer_of`."""
        return {**scope, SCOPE_KEY: self}

    def write(self, data: bytes) -> None:
        """Write without waiting; does nothing on a closing connection."""
        if not self._transport.is_closing():
            self._transport.write(data)
            self.written(len(data))

    def written(self, size: int) -> None:
        """Count bytes that were written, and start the stall time-out if they are buffered."""
        self._written += size
        self._on_write(size)
        if self._timer is None and (buffered := self.buffered_bytes):
            self._drained = self._written - buffered
            self._checks_without_progress = 0
            self._schedule_check()

    def _schedule_check(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._interval, self._check)

    def _check(self) -> None:
        self._timer = None
        buffered = self.buffered_bytes
        if not buffered:
            return
        drained = self._written - buffered
        if drained > self._drained:
            self._checks_without_progress = 0
        else:
            self._checks_without_progress += 1
        self._drained = max(drained, self._drained)
        if self._checks_without_progress < CHECKS:
            self._schedule_check()
            return
        log.warning("connection_stalled", buffered_bytes=buffered)
        self._transport.abort()


def writer_of(scope: Mapping[str, Any]) -> ConnectionWriter | None:
    """Get the writer that `StallTimeout` added to a scope."""
    writer: ConnectionWriter | None = scope.get(SCOPE_KEY)
    return writer


def text_frame(payload: bytes) -> bytes:
    """Encode UTF-8 text as one unmasked WebSocket message (RFC 6455, section 5.2)."""
    return _frame(b"\x81", payload)


def binary_frame(payload: bytes) -> bytes:
    """Encode bytes as one unmasked WebSocket message."""
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


@dataclass(slots=True)
class Traffic:
    """Bytes of all connections, for the metrics."""

    sent_bytes: int = 0
    received_bytes: int = 0


class StallTimeout:
    """Middleware that aborts a connection whose write buffer does not drain for `seconds`.

    It must be the outermost middleware, because others replace `receive`. Applications below find
    the connection with `writer_of`.
    """

    def __init__(self, app: ASGIApp, seconds: float, traffic: Traffic) -> None:
        self._app = app
        self._seconds = seconds
        self._traffic = traffic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and watch the write buffer of its connection."""
        writer = ConnectionWriter.from_receive(receive, self._seconds, self._count_sent)
        if writer is None:
            await self._app(scope, receive, send)
            return

        async def watched_send(message: Message) -> None:
            await send(message)
            writer.written(_size(message))

        async def counted_receive() -> Message:
            message = await receive()
            self._traffic.received_bytes += _size(message)
            return message

        await self._app(writer.add_to_scope(scope), counted_receive, watched_send)

    def _count_sent(self, size: int) -> None:
        self._traffic.sent_bytes += size


def _size(message: Message) -> int:
    return len(message.get("text") or message.get("bytes") or message.get("body") or "")
