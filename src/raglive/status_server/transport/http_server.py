"""uvicorn as every process of raglive serves HTTP and WebSockets with it."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import cast

import uvicorn
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.utils import ClientDisconnected

from raglive.status_server.transport.http_connections import ConnectionBounds, HttpProtocol
from raglive.status_server.transport.tested_versions import require_tested

__all__ = ["MAX_MESSAGE_BYTES", "HandshakeRefusal", "HttpServer", "http_server"]

MAX_MESSAGE_BYTES = 1_000_000  # one Engine.IO message or payload, on either transport
SHUTDOWN_SECONDS = 5


def http_server(
    app: ASGIApp,
    host: str,
    port: int,
    *,
    max_connections: int,
    trusted_proxies: Sequence[str] = (),
) -> HttpServer:
    """Configure a server; only `trusted_proxies` may set forwarded addresses.

    Over `max_connections` TCP connections, those that have waited longest for a request are closed.
    Raises `conflict` when the installed uvicorn is outside the tested range.
    """
    require_tested("uvicorn")
    bounds = ConnectionBounds(max_connections)
    config = uvicorn.Config(
        HandshakeRefusal(app),
        host=host,
        port=port,
        loop="uvloop",
        http=cast("type[asyncio.Protocol]", partial(HttpProtocol, bounds=bounds)),
        ws="websockets-sansio",
        ws_max_size=MAX_MESSAGE_BYTES,
        ws_per_message_deflate=False,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        server_header=False,
        forwarded_allow_ips=list(trusted_proxies),
    )
    return HttpServer(config, bounds)


class HttpServer(uvicorn.Server):
    """A server that bounds its connections, and leaves signals to the command that runs it."""

    def __init__(self, config: uvicorn.Config, bounds: ConnectionBounds) -> None:
        super().__init__(config)
        self._bounds = bounds

    async def on_tick(self, counter: int) -> bool:
        """Close connections whose client is too slow, every tenth tick: once a second."""
        if counter % 10 == 0:
            self._bounds.close_overdue()
        return await super().on_tick(counter)

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        """Install no signal handlers."""
        yield


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
