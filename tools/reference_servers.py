"""The servers' addresses and metrics, read from the real applications without a database."""

from __future__ import annotations

import asyncio
from functools import cache
from typing import Any, cast

import httpx
import structlog
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.types import ASGIApp
from tools.reference_tables import code, table

from raglive.app.dashboard_server import dashboard_config
from raglive.app.pipeline import health_app
from raglive.app.status_server import status_server_config
from raglive.bus.postgres import PostgresBus
from raglive.dashboard.server import create_dashboard
from raglive.http_api.tokens import Tokens
from raglive.ingest.metrics import PipelineMetrics
from raglive.ingest.pipeline_service import PipelineService
from raglive.search.service import SearchConfig, SearchService
from raglive.settings import Settings
from raglive.status_server.server import StatusServer
from raglive.store.pool import Database

__all__ = [
    "OpenApi",
    "dashboard_metrics",
    "dashboard_openapi",
    "metrics",
    "pipeline_addresses",
    "pipeline_metrics",
    "status_openapi",
]

DSN = "postgresql://nobody@127.0.0.1:1/none"
OpenApi = dict[str, dict[str, dict[str, Any]]]


@cache
def status_openapi() -> OpenApi:
    """Return the paths of the status server, with their methods."""
    return _paths(_status_server(), "/openapi.json")


@cache
def dashboard_openapi() -> OpenApi:
    """Return the paths of the dashboard server, below `/api`, with their methods."""
    paths = _paths(_dashboard(), "/api/openapi.json")
    return {f"/api{path}": methods for path, methods in paths.items()}


def pipeline_addresses() -> list[str]:
    """Return the paths that a pipeline answers."""
    app = _pipeline()
    assert isinstance(app, Starlette)
    return [route.path for route in app.routes if isinstance(route, Route)]


def metrics() -> str:
    """Return the status server's metrics of raglive's own."""
    return _metrics_table(_status_server())


def dashboard_metrics() -> str:
    """Return the dashboard server's metrics of raglive's own."""
    return _metrics_table(_dashboard())


def pipeline_metrics() -> str:
    """Return a pipeline's metrics of raglive's own."""
    return _metrics_table(_pipeline())


def _metrics_table(app: ASGIApp) -> str:
    text = _get(app, "/metrics").text
    rows = [
        (code(family.name + _ending(family.type)), family.type, f"{family.documentation}.")
        for family in text_string_to_metric_families(text)
        if family.name.startswith("raglive_") and not family.name.endswith("_created")
    ]
    return table(("Metric", "Type", "Meaning"), rows)


def _ending(kind: str) -> str:
    return "_total" if kind == "counter" else ""


def _paths(app: ASGIApp, address: str) -> OpenApi:
    paths: OpenApi = _get(app, address).json()["paths"]
    return paths


def _dashboard() -> ASGIApp:
    config = dashboard_config(Settings.model_validate({}))
    return create_dashboard(config, _database(), _tokens(), _bus(), _search())


def _pipeline() -> ASGIApp:
    service = cast("PipelineService", None)  # nothing else is needed
    metrics = PipelineMetrics()
    metrics.observe_database(_database())
    return health_app(service, metrics, "127.0.0.1")


def _status_server() -> ASGIApp:
    config = status_server_config(Settings.model_validate({}))
    return StatusServer(config, _database(), _tokens(), _search(), _bus()).asgi


def _bus() -> PostgresBus:
    return PostgresBus(DSN, listens=False)


def _search() -> SearchService:
    return SearchService(_database(), SearchConfig())


def _database() -> Database:
    return Database(DSN, cast("Any", _NoPool()))  # nothing here connects


class _NoPool:
    """A pool without connections."""

    def get_size(self) -> int:
        return 0

    get_idle_size = get_max_size = get_size

    async def acquire(self, *, timeout: float) -> Any:  # noqa: ARG002 - as in asyncpg
        raise ConnectionRefusedError


def _tokens() -> Tokens:
    return Tokens("documentation-" * 4)


def _get(app: ASGIApp, address: str) -> httpx.Response:
    async def get() -> httpx.Response:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return (await client.get(address)).raise_for_status()

    with structlog.testing.capture_logs():
        return asyncio.run(get())
