"""HTTP connections that the application can close or leave unanswered."""

from __future__ import annotations

import asyncio
from typing import ClassVar, cast

from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["Connections", "cut", "hang"]

_TRANSPORT = "fake_google_drive.transport"


class Connections:
    """The open connections of a server, by the client's address.

    ASGI gives an application no access to its connection. The address, which is in its scope, leads
    there.
    """

    def __init__(self) -> None:
        self._transports: dict[tuple[str, int], asyncio.Transport] = {}

    def protocol(self, http: type[asyncio.Protocol]) -> type[asyncio.Protocol]:
        """Extend the server's protocol, so that each connection is listed here while it is open."""
        return type("ListedHttp", (_ListedProtocol, http), {"transports": self._transports})

    def application(self, app: ASGIApp) -> ASGIApp:
        """Wrap the application, so that its requests can be passed to `cut`."""

        async def with_transport(scope: Scope, receive: Receive, send: Send) -> None:
            scope["extensions"] = {_TRANSPORT: {"transport": self._transports[scope["client"]]}}
            await app(scope, receive, send)

        return with_transport

    def abort(self) -> None:
        """Abort every connection."""
        for transport in list(self._transports.values()):
            transport.abort()


class _ListedProtocol(asyncio.Protocol):
    transports: ClassVar[dict[tuple[str, int], asyncio.Transport]]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._client = transport.get_extra_info("peername")
        self.transports[self._client] = cast("asyncio.Transport", transport)
        super().connection_made(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.transports.pop(self._client, None)


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
