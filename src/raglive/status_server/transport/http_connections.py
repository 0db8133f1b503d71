"""HTTP connections: how many a server has open, and how long it waits for their clients.

uvicorn has time-outs for idle connections after a response only. A client that sends nothing, half
a request, or does not read its response would hold a connection for ever.
"""

from __future__ import annotations

import asyncio
import heapq
import socket
from typing import Any

import orjson
import structlog
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from raglive_contract.errors import ErrorCode, RagliveError

__all__ = ["ConnectionBounds", "HttpProtocol"]

log = structlog.get_logger()

HEAD_SECONDS = 10.0  # from the connection, or the first byte, to the end of the headers
HEAD_BYTES = 64 * 1024
BODY_PAUSE_SECONDS = 10.0  # without a byte of the body
BODY_SECONDS = 300.0
UNREAD_SECONDS = 30.0  # in which the client reads nothing of a response
CLOSED_SHARE = 20  # over the limit, a twentieth of the connections is closed at once
LOG_SECONDS = 60.0
MAX_UNSENT_BYTES = 128 * 1024


class ConnectionBounds:
    """Limits the connections of one server, and closes those that wait too long for their client.

    `limit` counts WebSocket connections too, but only HTTP connections without a complete request
    are closed. When there are none, a new connection is closed.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._connections: dict[HttpProtocol, None] = {}  # in the order of their opening
        self._aborted: set[HttpProtocol] = set()  # that still count as open
        self._closed = 0
        self._log_at = float("-inf")

    def add(self, connection: HttpProtocol, total: int) -> None:
        """Count a new connection; `total` are all of the server, with this one."""
        self._connections[connection] = None
        if total - len(self._aborted) > self._limit:
            self._make_room(connection)

    def discard(self, connection: HttpProtocol) -> None:
        """Forget a connection that has ended or has become a WebSocket."""
        self._connections.pop(connection, None)
        self._aborted.discard(connection)

    def close_overdue(self) -> None:
        """Close the connections whose client is too slow; called every second."""
        now = asyncio.get_running_loop().time()
        for connection in [it for it in self._connections if it.is_overdue(now)]:
            connection.transport.abort()
        self._log(now)

    def _make_room(self, newest: HttpProtocol) -> None:
        waiting = [it for it in self._connections if it.waits_for_client and it is not newest]
        oldest = heapq.nsmallest(
            max(1, self._limit // CLOSED_SHARE), waiting, key=lambda it: it.heard_at
        )
        for connection in oldest or [newest]:
            connection.transport.abort()
            del self._connections[connection]
            self._aborted.add(connection)
            self._closed += 1
        self._log(newest.heard_at)

    def _log(self, now: float) -> None:
        if self._closed and now - self._log_at >= LOG_SECONDS:
            log.warning("connections_closed", closed=self._closed, limit=self._limit)
            self._closed, self._log_at = 0, now


class HttpProtocol(HttpToolsProtocol):
    """One connection: knows for how long it waits, and answers unreadable requests."""

    def __init__(self, *args: Any, bounds: ConnectionBounds, **options: Any) -> None:
        super().__init__(*args, **options)
        self._bounds = bounds
        self.heard_at = self._began_at = self.loop.time()
        self._unfinished: list[RequestResponseCycle] = []
        self._in_head = False
        self._head_bytes = 0
        self._unread_bytes = 0
        self._read_at = self.heard_at

    @property
    def waits_for_client(self) -> bool:
        """Whether the client has not sent a complete request, or the connection is idle."""
        return self._is_between_requests or self.cycle.more_body

    @property
    def _is_between_requests(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None or cycle.response_complete

    def is_overdue(self, now: float) -> bool:
        """Whether the client has been silent or slow for too long; called every second."""
        unread_bytes = self.transport.get_write_buffer_size()
        if unread_bytes:
            if unread_bytes != self._unread_bytes:
                self._unread_bytes, self._read_at = unread_bytes, now
            return now - self._read_at > UNREAD_SECONDS
        self._unread_bytes = 0
        if self._is_between_requests:
            return now - self._began_at > HEAD_SECONDS
        if not self.cycle.more_body:
            return False
        return now - self.heard_at > BODY_PAUSE_SECONDS or now - self._began_at > BODY_SECONDS

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Limit the send buffer: the kernel would buffer megabytes for a client that is slow."""
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            transport.get_extra_info("socket").setsockopt(
                socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, MAX_UNSENT_BYTES
            )
        super().connection_made(transport)
        self._bounds.add(self, len(self.connections))

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection, and let all its requests end: uvicorn tells only the last one."""
        self._bounds.discard(self)
        for cycle in self._unfinished:
            cycle.disconnected = True
            cycle.message_event.set()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self) -> None:
        """Leave the connection to the WebSocket protocol, which has time-outs of its own."""
        self._bounds.discard(self)
        super().handle_websocket_upgrade()

    def data_received(self, data: bytes) -> None:
        """Parse data; refuse headers that do not end."""
        self.heard_at = self.loop.time()
        was_in_head = self._in_head
        super().data_received(data)
        if was_in_head and self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES and not self.transport.is_closing():
                self.send_400_response("The headers are longer than 64 KiB.")

    def on_message_begin(self) -> None:
        """Begin to time a request."""
        self._began_at, self._in_head, self._head_bytes = self.heard_at, True, 0
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """End the time-out of the headers."""
        self._in_head = False
        former = self.cycle
        super().on_headers_complete()
        if self.cycle is not former:  # it is with a WebSocket handshake
            self._unfinished.append(self.cycle)

    def on_response_complete(self) -> None:
        """Begin to wait for the next request."""
        self._began_at = self.loop.time()
        self._unfinished = [cycle for cycle in self._unfinished if not cycle.response_complete]
        super().on_response_complete()

    def send_400_response(self, msg: str) -> None:
        """Refuse a request that cannot be parsed, with the error object, and close."""
        refusal = RagliveError(
            f"{msg} It is not HTTP/1.1, or its address is longer than 64 KiB.",
            code=ErrorCode.INVALID_REQUEST,
        )
        body = orjson.dumps({"error": refusal.body()})
        head = (
            "HTTP/1.1 400 Bad Request\r\n"
            "content-type: application/json\r\n"
            f"content-length: {len(body)}\r\n"
            "connection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + body)
        self.transport.close()
