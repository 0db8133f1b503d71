"""The dashboard server."""

from __future__ import annotations

from collections.abc import Awaitable

from raglive.app.serving import serve_http
from raglive.app.tokens import tokens_of
from raglive.app.wiring import Wiring
from raglive.bus.postgres import PostgresBus
from raglive.dashboard.server import create_dashboard

__all__ = ["run_dashboard"]


async def run_dashboard(wiring: Wiring, stop: Awaitable[None]) -> None:
    """Serve the web app and `/api/*` until `stop`."""
    settings = wiring.settings
    async with (
        wiring.database("dashboard") as database,
        PostgresBus(database.dsn, listens=database.listens) as bus,
    ):
        app = create_dashboard(settings, database, tokens_of(wiring), bus)
        await serve_http(
            app,
            settings.host,
            settings.dashboard_port,
            stop,
            trusted_proxies=settings.trusted_proxies,
            before_stop=app.state.release_waiting,
        )
