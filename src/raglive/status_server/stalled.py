"""Connections that are written to and never read are aborted, so that nothing is held for them.

What passes is counted, for this is the outermost place that sees all of it.
"""

from __future__ import annotations

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from raglive.status_server.wire import Wire

__all__ = ["StalledConnections"]


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
