"""Composes the status server from the settings."""

from __future__ import annotations

from collections.abc import Awaitable

from raglive.app.bus import open_bus
from raglive.app.embedder import search_config
from raglive.app.installation import Installation, retention_of
from raglive.app.serving import request_rates, serve_http
from raglive.app.tokens import tokens_of
from raglive.search.service import SearchService
from raglive.settings import Settings
from raglive.status_server.admission import AdmissionConfig, origins_of
from raglive.status_server.config import StatusServerConfig
from raglive.status_server.server import StatusServer
from raglive.store.access.producer_usage import PublishedToday

__all__ = ["run_status_server", "status_server_config"]


async def run_status_server(installation: Installation, stop: Awaitable[None]) -> None:
    """Serve Socket.IO and HTTP until `stop`."""
    settings = installation.settings
    async with (
        installation.database("status server", max_size=10) as database,
        open_bus(settings, database) as bus,
    ):
        search = SearchService(database, search_config(settings))
        config = status_server_config(settings)
        server = StatusServer(config, database, tokens_of(installation), search, bus)
        await serve_http(
            server.asgi,
            settings.host,
            settings.status_port,
            server.until_drained(stop),
            max_connections=2 * settings.max_connections,  # long-polling takes two
            base_path=settings.base_path,
            trusted_proxies=settings.trusted_proxies,
        )


def status_server_config(settings: Settings) -> StatusServerConfig:
    """Return the settings of the status server."""
    return StatusServerConfig(
        host=settings.host,
        allowed_hosts=settings.allowed_hosts,
        socket_path=settings.socket_path,
        pipeline_types=settings.pipeline_types,
        heartbeat_interval_seconds=settings.heartbeat_interval,
        admission=_admission_config(settings),
        retention=retention_of(settings),
        handshake_seconds=settings.handshake_seconds,
        idle_seconds=settings.idle_seconds,
        socket_timeout_seconds=settings.socket_timeout,
        metrics_by_pipeline=settings.metrics_pipeline_label,
        server_name=settings.server_name,
    )


def _admission_config(settings: Settings) -> AdmissionConfig:
    own_origins = origins_of(
        [settings.host, *settings.allowed_hosts], [settings.dashboard_port, settings.status_port]
    )
    return AdmissionConfig(
        max_connections=settings.max_connections,
        max_connections_per_address=settings.max_connections_per_address,
        max_connections_per_subject=settings.max_connections_per_subject,
        max_subscriptions=settings.max_subscriptions,
        max_pipelines=settings.max_pipelines,
        connections_per_second=settings.address_connections_per_second,
        requests_per_second=settings.connection_requests_per_second,
        events_per_second=settings.pipeline_events_per_second,
        daily_quota=PublishedToday(
            settings.subject_events_per_day,
            settings.subject_bytes_per_day,
            settings.subject_pipelines_per_day,
        ),
        request_rates=request_rates(settings),
        allowed_origins=own_origins | set(settings.cors_origins),
    )
