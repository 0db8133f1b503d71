"""Connections that can be cut."""

from __future__ import annotations

import asyncio

from starlette.types import Receive, Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

__all__ = ["CuttableProtocol", "cut", "hang"]

_TRANSPORT = "raglive.transport"


class CuttableProtocol(HttpToolsProtocol):
    """HTTP whose application reaches the connection beneath."""

    def on_message_begin(self) -> None:
        """Begin a request."""
        super().on_message_begin()
        self.scope["extensions"] = {_TRANSPORT: {"transport": self.transport}}


async def cut(scope: Scope, receive: Receive) -> None:
    """Close the connection at once, whatever was sent; what is in the way is sent first."""
    scope["extensions"][_TRANSPORT]["transport"].close()
    await _gone(receive)


async def hang(receive: Receive, seconds: float) -> None:
    """Let the client wait, until it leaves or the time is over."""
    try:
        async with asyncio.timeout(seconds):
            await _gone(receive)
    except TimeoutError:
        return


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
