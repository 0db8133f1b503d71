"""The dashboard server: `/api/*` from the database, and the web app.

It works without a status server.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from raglive import __version__
from raglive.bus.bus import Bus
from raglive.dashboard.endpoints import DashboardServices, add_endpoints, rag_status_endpoint
from raglive.dashboard.metrics import DashboardMetrics
from raglive.dashboard.page_tokens import Sessions, SignIn
from raglive.dashboard.status_cache import StatusCache
from raglive.dashboard.status_probe import StatusProbe
from raglive.dashboard.status_server_address import StatusServerAddress
from raglive.dashboard.web_app import BUILT_APP, create_web_app
from raglive.http_api.allowed_hosts import AllowedHosts
from raglive.http_api.authentication import Authenticator, bearer, bearer_grant
from raglive.http_api.background import running
from raglive.http_api.metrics import metrics_page
from raglive.http_api.middleware import AddressLimit, BodyLimit, RequestLog
from raglive.http_api.openapi import describe, refusals
from raglive.http_api.pipelines import operations_router, pipelines_router
from raglive.http_api.probes import probe_routes
from raglive.http_api.rate_limits import RequestLimits, RequestRates
from raglive.http_api.responses import install_error_handlers
from raglive.http_api.search import search_router
from raglive.http_api.tokens import Tokens
from raglive.search.service import SearchService
from raglive.store.access.revocations import Revocations
from raglive.store.log.pipeline_status import PipelineReads
from raglive.store.pool import Database
from raglive.store.registry.file_listing import FileListing

__all__ = ["DashboardConfig", "create_dashboard"]

READ_SECONDS = 2.0
MAX_BODY_BYTES = 192 * 1024  # the cursor of a few thousand pipelines
STALE_HEARTBEATS = 3
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


@dataclass(frozen=True, slots=True)
class DashboardConfig:
    """Hosts, limits and the status server of a dashboard server.

    `use_sign_in_secret` checks a one-time secret and replaces it; without it, a token is the only
    way to sign in.
    """

    host: str  # that it listens on
    allowed_hosts: tuple[str, ...]
    request_rates: RequestRates
    heartbeat_interval_seconds: float
    status_server: StatusServerAddress
    use_sign_in_secret: Callable[[str], bool] | None = None


def create_dashboard(
    config: DashboardConfig,
    database: Database,
    tokens: Tokens,
    bus: Bus,
    search: SearchService,
    *,
    app_folder: Path = BUILT_APP,
) -> Starlette:
    """Create the application; its background tasks run within its lifespan.

    Call `app.state.release_waiting()` before the server stops: long polls are then answered at
    once and do not delay the shutdown.
    """
    reads = PipelineReads(database, within_seconds=READ_SECONDS)
    listing = FileListing(database, within_seconds=READ_SECONDS)
    address = config.status_server
    revocations = Revocations(database)
    limits = RequestLimits(config.request_rates)
    authenticator = Authenticator(tokens, revocations)
    identify = bearer(authenticator, limits.request_of_subject)
    grant_of = bearer_grant(authenticator, limits.request_of_subject)
    cache = StatusCache(reads, bus)
    probe = StatusProbe(address.internal_url)

    redaction = tokens.redaction()
    metrics = DashboardMetrics(database, bus)
    services = DashboardServices(
        cache,
        reads,
        grant_of,
        Sessions(tokens, identify, address),
        SignIn(tokens, config.use_sign_in_secret),
        redaction,
        address,
        probe,
        metrics,
        stale_seconds=STALE_HEARTBEATS * config.heartbeat_interval_seconds,
    )

    api = FastAPI(
        title="raglive dashboard",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        responses=refusals(421),
    )
    describe(api)
    install_error_handlers(api)
    api.include_router(pipelines_router(reads, listing, grant_of, redaction), prefix="/pipelines")
    api.include_router(operations_router(reads, database, identify), prefix="/pipelines")
    api.include_router(search_router(search, grant_of, metrics))
    add_endpoints(api, services)

    app = Starlette(
        routes=[
            # the most frequent request by far, so it avoids the overhead of FastAPI
            Route("/api/rag-status", rag_status_endpoint(services), methods=["GET", "POST"]),
            Route("/metrics", _metrics_endpoint(metrics)),
            *probe_routes(_readiness(services)),
            Mount("/api", api),
            Mount("/", create_web_app(address, app_folder)),
        ],
        middleware=[
            Middleware(RequestLog, metrics=metrics),
            Middleware(_SecurityHeaders, headers=SECURITY_HEADERS),
            Middleware(AllowedHosts, bound_host=config.host, allowed=config.allowed_hosts),
            Middleware(AddressLimit, count=limits.request_of_address),
            Middleware(BodyLimit, limit=MAX_BODY_BYTES),
        ],
        lifespan=_lifespan(cache, revocations, probe, search),
    )
    app.state.release_waiting = cache.close
    install_error_handlers(app)
    return app


def _readiness(services: DashboardServices) -> Callable[[], Awaitable[str | None]]:
    """Return the check of `/health/ready`; without a status server the page polls."""

    async def unready() -> str | None:
        if services.cache.closing:
            return "the server is shutting down"
        database = await services.database_health()
        return None if database["status"] == "healthy" else "the database does not answer"

    return unready


def _metrics_endpoint(metrics: DashboardMetrics) -> Callable[[Request], Awaitable[Response]]:
    async def count(_request: Request) -> Response:
        return await metrics_page(metrics)

    return count


def _lifespan(
    cache: StatusCache, revocations: Revocations, probe: StatusProbe, search: SearchService
) -> Any:
    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        probe.warm_up()
        try:
            async with running(status_hints=cache.run(), revocations=revocations.run()):
                yield
        finally:
            cache.close()
            await probe.close()
            await search.close()

    return lifespan


class _SecurityHeaders:
    def __init__(self, app: ASGIApp, headers: Mapping[str, str]) -> None:
        self._app = app
        self._headers = [(name.lower().encode(), text.encode()) for name, text in headers.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def secured(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *self._headers]
            await send(message)

        await self._app(scope, receive, secured)
