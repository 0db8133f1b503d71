"""Composes the dashboard server from the settings."""

from __future__ import annotations

from collections.abc import Awaitable

from raglive.app.embedder import search_config
from raglive.app.installation import Installation
from raglive.app.serving import request_rates, serve_http
from raglive.app.tokens import tokens_of
from raglive.bus.postgres import PostgresBus
from raglive.dashboard.server import DashboardConfig, create_dashboard
from raglive.dashboard.status_server_address import StatusServerAddress
from raglive.local_stack.data_folder import DataFolder
from raglive.local_stack.sign_in import SignInSecret
from raglive.search.service import SearchService
from raglive.settings import Settings

__all__ = ["dashboard_config", "run_dashboard", "status_server_address"]


async def run_dashboard(installation: Installation, stop: Awaitable[None]) -> None:
    """Serve the web app and `/api/*` until `stop`."""
    settings = installation.settings
    async with (
        installation.database("dashboard") as database,
        PostgresBus(database.dsn, listens=database.listens) as bus,
    ):
        search = SearchService(database, search_config(settings))
        config = dashboard_config(settings, installation.data_folder)
        app = create_dashboard(config, database, tokens_of(installation), bus, search)
        await serve_http(
            app,
            settings.host,
            settings.dashboard_port,
            stop,
            max_connections=2 * settings.max_connections,  # long-polling takes two
            base_path=settings.base_path,
            trusted_proxies=settings.trusted_proxies,
            before_stop=app.state.release_waiting,
        )


def dashboard_config(settings: Settings, data_folder: DataFolder | None = None) -> DashboardConfig:
    """Return the settings of the dashboard server; `data_folder` is that of `raglive up`."""
    return DashboardConfig(
        host=settings.host,
        allowed_hosts=settings.allowed_hosts,
        request_rates=request_rates(settings),
        heartbeat_interval_seconds=settings.heartbeat_interval,
        status_server=status_server_address(settings),
        use_sign_in_secret=SignInSecret(data_folder).use if data_folder else None,
    )


def status_server_address(settings: Settings) -> StatusServerAddress:
    """Return where browsers and this server reach the status server."""
    is_on_any_host = settings.status_url is None and settings.listens_on_every_address
    return StatusServerAddress(
        public_url=settings.public_status_url,
        internal_url=settings.internal_status_url,
        socket_path=settings.socket_path,
        pipeline_types=settings.pipeline_types,
        port_on_any_host=settings.status_port if is_on_any_host else None,
    )
