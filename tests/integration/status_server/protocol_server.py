"""The fixture of the protocols' official test suites: an echo server on the transport alone.

`python -m tests.integration.status_server.protocol_server PORT`. The suites expect port 3000; they
are in `test-suite/` of github.com/socketio/engine.io-protocol and socket.io-protocol, and all their
56 cases pass.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import socketio
import uvicorn
import uvloop
from starlette.types import ASGIApp, Receive, Scope, Send

from raglive.status_server.transport.engineio_server import EngineServer
from raglive.status_server.transport.http_server import MAX_MESSAGE_BYTES, HandshakeRefusal
from raglive.status_server.transport.payload_filter import PayloadFilter
from raglive.status_server.transport.socketio_server import SocketServer

__all__ = ["HANDSHAKE_SECONDS", "PING_INTERVAL", "PING_TIMEOUT", "serving_echoes"]

PING_INTERVAL = 0.3
PING_TIMEOUT = 0.2
HANDSHAKE_SECONDS = 1.0


class EchoServer(SocketServer):
    def unknown_namespace(self, _namespace: str) -> dict[str, Any]:
        """Answer with the protocol's message alone, as the suite expects."""
        return {"message": "Invalid namespace"}


class Echo(socketio.AsyncNamespace):  # type: ignore[misc]  # socketio is untyped
    async def on_connect(self, sid: str, _environ: dict[str, Any], auth: object = None) -> None:
        # The suite misses an event that arrives in one segment with the answer before it.
        asyncio.get_running_loop().call_later(0.02, self._greet, sid, auth or {})

    async def on_message(self, sid: str, *data: Any) -> None:
        await self.emit("message-back", data, to=sid)

    async def trigger_event(self, event: str, *args: Any) -> Any:
        if event == "message-with-ack":
            return args[1:]
        return await super().trigger_event(event, *args)

    def _greet(self, sid: str, auth: object) -> None:
        self.server.start_background_task(self.emit, "auth", auth, to=sid)


def echoes() -> ASGIApp:
    """Return the application: `/engine.io` without Socket.IO, and `/socket.io`."""
    sockets = EchoServer(
        ping_interval=PING_INTERVAL,
        ping_timeout=PING_TIMEOUT,
        handshake_seconds=HANDSHAKE_SECONDS,
        count_address=lambda _address, _change: None,
    )
    for name in ("/", "/custom"):
        sockets.register_namespace(Echo(name))
    bare = EngineServer(
        async_mode="asgi",
        ping_interval=PING_INTERVAL,
        ping_timeout=PING_TIMEOUT,
        max_http_buffer_size=MAX_MESSAGE_BYTES,
        cors_allowed_origins="*",
    )

    async def echo(sid: str, data: Any) -> None:
        await bare.send(sid, data)

    bare.on("message", echo)

    async def route(scope: Scope, receive: Receive, send: Send) -> None:
        path, engine = ("engine.io", bare) if "engine.io" in scope["path"] else ("socket.io", None)
        close_session = sockets.close_session if engine is None else engine.disconnect
        app = _filtered((engine or sockets).handle_request, path, close_session)
        await app(scope, receive, send)

    return route


def _filtered(app: ASGIApp, path: str, close: Callable[[str], Awaitable[None]]) -> PayloadFilter:
    return PayloadFilter(app, path, admit=lambda _scope, _opens: None, close_session=close)


@asynccontextmanager
async def serving_echoes(port: int) -> AsyncIterator[str]:
    """Serve the echoes in this process."""
    config = uvicorn.Config(
        HandshakeRefusal(echoes()),
        host="127.0.0.1",
        port=port,
        http="httptools",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
        timeout_graceful_shutdown=1,
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(10):
        while not server.started:
            await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await serving


async def main(port: str) -> None:
    async with serving_echoes(int(port)):
        await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(main(*sys.argv[1:]))
