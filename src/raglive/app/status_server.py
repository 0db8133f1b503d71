"""The status server."""

from __future__ import annotations

from collections.abc import Awaitable

from raglive.app.serving import serve_http
from raglive.app.tokens import tokens_of
from raglive.app.wiring import Wiring
from raglive.status_server.server import StatusServer

__all__ = ["run_status_server"]


async def run_status_server(wiring: Wiring, stop: Awaitable[None]) -> None:
    """Serve Socket.IO and HTTP until `stop`."""
    settings = wiring.settings
    async with wiring.database("status server", max_size=10) as database:
        server = StatusServer(settings, database, tokens_of(wiring))
        await serve_http(
            server.asgi,
            settings.host,
            settings.status_port,
            server.until_drained(stop),
            trusted_proxies=settings.trusted_proxies,
        )
