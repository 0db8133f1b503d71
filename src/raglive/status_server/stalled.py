"""Connections that are written to and never read are aborted, so that nothing is held for them.

What passes is counted, for this is the outermost place that sees all of it.
"""

from __future__ import annotations

import asyncio
from typing import Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["StalledConnections"]

log = structlog.get_logger()

CHECKS = 4  # without any change, until a connection is given up


class StalledConnections:
    """Middleware that aborts a connection when what was written does not drain for `seconds`.

    ASGI tells nothing of this. uvicorn's `receive` is a method of what holds the transport; under
    another server, this does nothing. It must be the outermost middleware.
    """

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self._app = app
        self._seconds = seconds
        self.sent_bytes = 0
        self.received_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and watch what is written to it."""
        transport = getattr(getattr(receive, "__self__", None), "transport", None)
        if transport is None:
            await self._app(scope, receive, send)
            return
        watch = _Watch(transport, self._seconds / CHECKS)

        async def watched(message: Message) -> None:
            await send(message)
            size = _size(message)
            watch.written += size
            self.sent_bytes += size
            if transport.get_write_buffer_size():
                watch.begin()

        async def counted() -> Message:
            message = await receive()
            self.received_bytes += _size(message)
            return message

        await self._app(scope, counted, watched)


def _size(message: Message) -> int:
    return len(message.get("text") or message.get("bytes") or message.get("body") or "")


class _Watch:
    """Looks at one transport while bytes wait in it; ends with them.

    What has gone out is what was written less what waits: more may be written meanwhile. The frames
    around what is written are not counted, so what has gone out is never overrated.
    """

    def __init__(self, transport: Any, interval: float) -> None:
        self.written = 0
        self._transport = transport
        self._interval = interval
        self._gone = 0
        self._unchanged = 0
        self._timer: asyncio.TimerHandle | None = None

    def begin(self) -> None:
        if self._timer is None:
            self._gone = self.written - self._transport.get_write_buffer_size()
            self._unchanged = 0
            self._again()

    def _again(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._interval, self._look)

    def _look(self) -> None:
        self._timer = None
        waiting = self._transport.get_write_buffer_size()
        if not waiting:
            return
        gone = self.written - waiting
        self._unchanged = 0 if gone > self._gone else self._unchanged + 1
        self._gone = max(gone, self._gone)
        if self._unchanged < CHECKS:
            self._again()
            return
        log.warning("connection_stalled", waiting_bytes=waiting)
        self._transport.abort()
