"""The two servers of an installation: the status server and the dashboard."""

from __future__ import annotations

from collections.abc import Awaitable

from raglive.app.embedder import search_config
from raglive.app.installation import Installation
from raglive.app.serving import serve_http
from raglive.app.tokens import tokens_of
from raglive.bus.postgres import PostgresBus
from raglive.dashboard.server import create_dashboard
from raglive.search.service import SearchService
from raglive.status_server.server import StatusServer

__all__ = ["run_dashboard", "run_status_server"]


async def run_status_server(installation: Installation, stop: Awaitable[None]) -> None:
    """Serve Socket.IO and HTTP until `stop`."""
    settings = installation.settings
    async with installation.database("status server", max_size=10) as database:
        search = SearchService(database, search_config(settings))
        server = StatusServer(settings, database, tokens_of(installation), search)
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
        search = SearchService(database, search_config(settings))
        app = create_dashboard(settings, database, tokens_of(installation), bus, search)
        await serve_http(
            app,
            settings.host,
            settings.dashboard_port,
            stop,
            trusted_proxies=settings.trusted_proxies,
            before_stop=app.state.release_waiting,
        )
