"""HTTP connections that the application can close or leave unanswered."""

from __future__ import annotations

import asyncio

from starlette.types import Receive, Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["AbortableProtocol", "cut", "hang"]

_TRANSPORT = "fake_google_drive.transport"


class AbortableProtocol(HttpToolsProtocol):
    """HTTP that gives the application access to its connection."""

    def on_message_begin(self) -> None:
        """Add the connection to the scope of a new request."""
        super().on_message_begin()
        self.scope["extensions"] = {_TRANSPORT: {"transport": self.transport}}


async def cut(scope: Scope, receive: Receive) -> None:
    """Close the connection after what was already written, complete or not."""
    scope["extensions"][_TRANSPORT]["transport"].close()
    await _gone(receive)


async def hang(receive: Receive, seconds: float) -> None:
    """Leave the client without an answer until it disconnects or the time has passed."""
    try:
        async with asyncio.timeout(seconds):
            await _gone(receive)
    except TimeoutError:
        return


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
