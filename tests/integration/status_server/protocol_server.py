"""The fixture of the protocols' official test suites: echoes, below the status server's layers.

`python -m tests.integration.status_server.protocol_server PORT`; the suites expect port 3000 and
stand under `docs/` in github.com/socketio/socket.io.
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

from raglive.status_server.transport.engineio import Engine
from raglive.status_server.transport.payloads import Gate
from raglive.status_server.transport.socketio_server import MAX_MESSAGE_BYTES, SocketServer

__all__ = ["JOINING", "PING_INTERVAL", "PING_TIMEOUT", "serving_echoes"]

PING_INTERVAL = 0.3
PING_TIMEOUT = 0.2
JOINING = 1.0


class Echo(socketio.AsyncNamespace):  # type: ignore[misc]  # socketio is untyped
    async def on_connect(self, sid: str, _environ: dict[str, Any], auth: object = None) -> None:
        asyncio.get_running_loop().call_soon(self._greet, sid, auth or {})

    async def on_message(self, sid: str, *data: Any) -> None:
        await self.emit("message-back", data, to=sid)

    async def trigger_event(self, event: str, *args: Any) -> Any:
        if event == "message-with-ack":
            return args[1:]
        return await super().trigger_event(event, *args)

    def _greet(self, sid: str, auth: object) -> None:
        self.server.start_background_task(self.emit, "auth", auth, to=sid)


def echoes() -> ASGIApp:
    """Return the application: `/engine.io` without Socket.IO above it, and `/socket.io`."""
    sockets = SocketServer(
        ping_interval=PING_INTERVAL,
        ping_timeout=PING_TIMEOUT,
        joining_seconds=JOINING,
        explains=False,
    )
    for name in ("/", "/custom"):
        sockets.register_namespace(Echo(name))
    bare = Engine(
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
        expel = sockets.expel if engine is None else engine.disconnect
        gate = _gated((engine or sockets).handle_request, path, expel)
        await gate(scope, receive, send)

    return route


def _gated(app: ASGIApp, path: str, expel: Callable[[str], Awaitable[None]]) -> Gate:
    return Gate(app, path, max_bytes=MAX_MESSAGE_BYTES, expel=expel, is_draining=lambda: False)


@asynccontextmanager
async def serving_echoes(port: int) -> AsyncIterator[str]:
    """Serve the echoes as the status server is served."""
    config = uvicorn.Config(
        echoes(),
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
