"""The status server."""

from __future__ import annotations

from collections.abc import Awaitable

from raglive.app.installation import Installation
from raglive.app.serving import serve_http
from raglive.app.tokens import tokens_of
from raglive.bus.postgres import PostgresBus
from raglive.dashboard.server import create_dashboard
from raglive.status_server.server import StatusServer

__all__ = ["run_dashboard", "run_status_server"]


async def run_status_server(installation: Installation, stop: Awaitable[None]) -> None:
    """Serve Socket.IO and HTTP until `stop`."""
    settings = installation.settings
    async with installation.database("status server", max_size=10) as database:
        server = StatusServer(settings, database, tokens_of(installation))
        await serve_http(
            server.asgi,
            settings.host,
            settings.status_port,
            server.until_drained(stop),
            trusted_proxies=settings.trusted_proxies,
        )


async def run_dashboard(installation: Installation, stop: Awaitable[None]) -> None:
    """Serve the web app and `/api/*` until `stop`."""
    settings = installation.settings
    async with (
        installation.database("dashboard") as database,
        PostgresBus(database.dsn, listens=database.listens) as bus,
    ):
        app = create_dashboard(settings, database, tokens_of(installation), bus)
        await serve_http(
            app,
            settings.host,
            settings.dashboard_port,
            stop,
            trusted_proxies=settings.trusted_proxies,
            before_stop=app.state.release_waiting,
        )
