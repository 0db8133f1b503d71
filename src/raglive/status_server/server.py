"""The status server: everything behind port 8103, and its start and stop."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI

from raglive.bus.bus import Bus
from raglive.http_api.authentication import bearer_grant
from raglive.http_api.background import running
from raglive.http_api.pipelines import pipelines_router
from raglive.http_api.search import search_router
from raglive.http_api.tokens import Tokens
from raglive.search.service import SearchService
from raglive.status_server.components import StatusComponents
from raglive.status_server.config import StatusServerConfig
from raglive.status_server.http.application import http_application, with_middleware
from raglive.status_server.http.endpoints import Readiness, status_router
from raglive.status_server.transport.connection_writer import StallTimeout
from raglive.store.pool import Database
from raglive.store.registry.file_listing import FileListing
from raglive.store.retention import delete_expired_regularly

__all__ = ["StatusServer"]


class StatusServer:
    """Serves Socket.IO and HTTP; `asgi` is the application.

    The application's lifespan runs the loops. `drain` must come before the HTTP server stops, so
    that viewers are told when to reconnect.
    """

    def __init__(
        self,
        config: StatusServerConfig,
        database: Database,
        tokens: Tokens,
        search: SearchService,
        bus: Bus,
    ) -> None:
        parts = StatusComponents(config, database, tokens, search, bus)
        for namespace in parts.namespaces:
            parts.sockets.register_namespace(namespace)
        self.components = parts
        http = http_application(self._routers(), parts.admission, self._lifespan)
        application = with_middleware(http, config, parts.sockets, parts.admission, parts.metrics)
        self.asgi = StallTimeout(application, config.timeouts.stalled_connection, parts.traffic)

    async def until_drained(self, stop: Awaitable[None]) -> None:
        """Wait for `stop`, then drain; the HTTP server can stop when this returns."""
        await stop
        await self.drain()

    async def drain(self) -> None:
        """Tell every viewer when to reconnect, and close its connection; may be called again."""
        await self.components.shutdown.drain()

    def _routers(self) -> dict[str, list[APIRouter]]:
        parts = self.components
        status = status_router(
            rooms=parts.rooms,
            publisher=parts.publisher,
            authenticator=parts.authenticator,
            limits=parts.limits,
            redaction=parts.redaction,
            metrics=parts.metrics,
            reads=parts.reads,
            readiness=self._readiness,
            stuck=self._stuck,
        )
        viewer = bearer_grant(parts.authenticator, parts.limits.request_of_subject)
        files = FileListing(parts.database)
        return {
            "": [status],
            "/v1/pipelines": [pipelines_router(parts.reads, files, viewer, parts.redaction)],
            "/v1": [search_router(parts.search, viewer, parts.metrics)],
        }

    @asynccontextmanager
    async def _lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        parts = self.components
        try:
            async with running(
                hub=parts.hub.run(),
                eviction=parts.eviction.run(),
                revocations=parts.revocations.run(),
                monitoring=parts.monitoring.run(parts.audit),
                offline_detector=parts.offline_detector.run(),
                retention=delete_expired_regularly(parts.database, parts.config.retention),
            ):
                yield
        finally:
            await self.drain()
            await parts.tasks.close()
            await parts.publisher.close()
            await parts.quotas.save()
            await parts.sockets.shutdown()
            await parts.search.close()

    def _stuck(self) -> str | None:
        idle, limit = self.components.hub.idle_seconds, self.components.timeouts.log_reader_stall
        return f"it has not tried to read the log for {idle:.0f} s" if idle >= limit else None

    def _readiness(self) -> Readiness:
        parts = self.components
        lag_seconds = parts.hub.lag_seconds
        return Readiness(
            is_draining=parts.shutdown.is_draining,
            lag_seconds=lag_seconds,
            is_lagging=lag_seconds > parts.timeouts.log_lag,
            silent=[
                name
                for name, seconds in parts.bus.silent_seconds.items()
                if seconds > parts.timeouts.bus_silence
            ],
        )
