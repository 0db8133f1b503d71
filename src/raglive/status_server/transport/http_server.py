"""uvicorn as every process of raglive serves HTTP and WebSockets with it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Generator, Sequence
from contextlib import contextmanager

import orjson
import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.protocols.utils import ClientDisconnected

from raglive.status_server.transport.tested_versions import require_tested
from raglive_contract.errors import ErrorCode, RagliveError

__all__ = ["MAX_MESSAGE_BYTES", "HandshakeRefusal", "HttpServer", "http_server"]

MAX_MESSAGE_BYTES = 1_000_000  # one Engine.IO message or payload, on either transport
MAX_UNSENT_BYTES = 128 * 1024
SHUTDOWN_SECONDS = 5


def http_server(
    app: ASGIApp, host: str, port: int, *, trusted_proxies: Sequence[str] = ()
) -> HttpServer:
    """Configure a server; only `trusted_proxies` may set forwarded addresses.

    Raises `conflict` when the installed uvicorn is outside the tested range.
    """
    require_tested("uvicorn")
    config = uvicorn.Config(
        HandshakeRefusal(app),
        host=host,
        port=port,
        loop="uvloop",
        http=HttpProtocol,
        ws="websockets-sansio",
        ws_max_size=MAX_MESSAGE_BYTES,
        ws_per_message_deflate=False,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        server_header=False,
        forwarded_allow_ips=list(trusted_proxies),
    )
    return HttpServer(config)


class HttpServer(uvicorn.Server):
    """A server that leaves signals to the command that runs it."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Install no signal handlers."""
        yield


class HttpProtocol(HttpToolsProtocol):
    """Answers unreadable requests with the error object, and limits the kernel's send buffer.

    Without `TCP_NOTSENT_LOWAT` the kernel buffers megabytes for a client that does not read, and
    the stall time-out begins only when they are full.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Limit the send buffer of a new connection."""
        if hasattr(socket, "TCP_NOTSENT_LOWAT"):
            transport.get_extra_info("socket").setsockopt(
                socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, MAX_UNSENT_BYTES
            )
        super().connection_made(transport)

    def send_400_response(self, msg: str) -> None:
        """Refuse a request that cannot be parsed, and close the connection."""
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


class HandshakeRefusal:
    """Middleware for WebSocket handshakes that the application answers with an HTTP response.

    uvicorn logs an error and sends a second answer when such an application returns. It accepts
    `ClientDisconnected` as the end.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on. Raises `ClientDisconnected` after a refused handshake."""
        if scope["type"] != "websocket":
            await self._app(scope, receive, send)
            return
        is_refused = False

        async def watched_send(message: Message) -> None:
            nonlocal is_refused
            is_refused |= message["type"] == "websocket.http.response.body"
            await send(message)

        await self._app(scope, receive, watched_send)
        if is_refused:
            raise ClientDisconnected
