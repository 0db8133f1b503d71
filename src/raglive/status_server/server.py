"""The status server: the hub's events to Socket.IO rooms, and HTTP beside it, on one port."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import socketio
import structlog
from fastapi import FastAPI
from starlette.types import ASGIApp

from raglive import __version__
from raglive.bus.postgres import PostgresBus
from raglive.contract.socket import ServerDraining
from raglive.database.errors import DATABASE_ERRORS
from raglive.database.event_log import EventLog, Head
from raglive.database.file_listing import FileListing
from raglive.database.pipelines import end_silent_pipelines
from raglive.database.pool import Database
from raglive.database.status import PipelineReads
from raglive.http_api.authentication import bearer_grant
from raglive.http_api.errors import install_error_handlers
from raglive.http_api.hosts import AllowedHosts
from raglive.http_api.pipelines import pipelines_router
from raglive.http_api.requests import BodyLimit, RequestLog
from raglive.http_api.search import search_router
from raglive.http_api.tokens import Tokens
from raglive.hub.hub import Hub
from raglive.hub.messages import Message
from raglive.pipeline.search import Search
from raglive.settings import Settings
from raglive.status_server.audience import Audience, Viewer
from raglive.status_server.gate import Gate
from raglive.status_server.http import status_router
from raglive.status_server.ingestion import Ingestion
from raglive.status_server.metrics import Metrics
from raglive.status_server.namespace import PipelineNamespace
from raglive.status_server.sockets import MAX_MESSAGE_BYTES, SocketServer
from raglive.status_server.stalled import StalledConnections
from raglive.status_server.tasks import Tasks

__all__ = ["Patience", "StatusServer"]

log = structlog.get_logger()

MAX_BODY_BYTES = 16 * 2**20
EXPIRY_CHECK_SECONDS = 0.5
RETURN_AFTER_MS = 100
RETURN_MS_PER_VIEWER = 5


@dataclass(frozen=True, slots=True)
class Patience:
    """How many seconds the status server gives others."""

    lag: float = 5.0  # of the log, until it is not ready
    silent_pipeline: float = 20.0  # without a heartbeat, until it is offline
    ending_token: float = 60.0  # of warning
    stalled_connection: float = 8.0  # that does not read, until it is aborted
    leaving: float = 1.0  # to read what was sent before the server stops


class StatusServer:
    """Everything behind port 8103; `asgi` is the application to serve."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        tokens: Tokens,
        patience: Patience = Patience(),
    ) -> None:
        self._database = database
        self._patience = patience
        self._reads = PipelineReads(database)
        self._search = Search(database, settings)
        self._tasks = Tasks()
        self._audience = Audience(self._drop)
        self._bus = PostgresBus(database.dsn, listens=database.listens)
        self._hub = Hub(
            EventLog(database),
            self._reads,
            self._bus,
            self._deliver,
            self._welcome,
            heartbeat_interval_seconds=settings.heartbeat_interval,
        )
        self._metrics = Metrics(lambda: len(self._audience), lambda: self._hub.lag_seconds)
        self._ingestion = Ingestion(database, self._bus)
        self._draining = False
        self._sockets = SocketServer(settings)
        self._namespaces = [
            PipelineNamespace(
                kind,
                hub=self._hub,
                audience=self._audience,
                ingestion=self._ingestion,
                tokens=tokens,
                tasks=self._tasks,
            )
            for kind in settings.pipeline_types
        ]
        for namespace in self._namespaces:
            self._sockets.register_namespace(namespace)
        self.asgi = self._assemble(settings, tokens)

    async def until_drained(self, stop: Awaitable[None]) -> None:
        """Wait for `stop`, then let every viewer go; what serves `asgi` can end after that."""
        await stop
        await self.drain()

    async def drain(self) -> None:
        """Tell every viewer when to come back, and close its connection; may be called again."""
        self._draining = True
        viewers = self._audience.everyone()
        for viewer in viewers:
            retry_in = RETURN_AFTER_MS + random.randrange(1 + RETURN_MS_PER_VIEWER * len(viewers))  # noqa: S311 - not a secret
            notice = ServerDraining(retry_in=retry_in).model_dump_json().encode()
            self._audience.send(viewer, "server:draining", notice)
        await self._sockets.expel_all(self._patience.leaving)

    def _assemble(self, settings: Settings, tokens: Tokens) -> ASGIApp:
        limited = BodyLimit(self._http(tokens), MAX_BODY_BYTES)
        both = socketio.ASGIApp(
            self._sockets, other_asgi_app=limited, socketio_path=settings.socket_path
        )
        gate = Gate(
            both,
            settings.socket_path,
            max_bytes=MAX_MESSAGE_BYTES,
            expel=self._sockets.expel,
            probed=self._sockets.probed,
            is_draining=lambda: self._draining,
        )
        allowed = AllowedHosts(gate, settings.host, settings.allowed_hosts)
        return StalledConnections(RequestLog(allowed), self._patience.stalled_connection)

    def _http(self, tokens: Tokens) -> FastAPI:
        app = FastAPI(
            title="raglive status server",
            version=__version__,
            lifespan=self._lifespan,
            openapi_url="/openapi.json",
        )
        install_error_handlers(app)
        app.include_router(
            status_router(
                hub=self._hub,
                audience=self._audience,
                ingestion=self._ingestion,
                tokens=tokens,
                metrics=self._metrics,
                reads=self._reads,
                max_lag_seconds=self._patience.lag,
                is_draining=lambda: self._draining,
            )
        )
        pipelines = pipelines_router(self._reads, FileListing(self._database), bearer_grant(tokens))
        app.include_router(pipelines, prefix="/v1/pipelines")
        app.include_router(search_router(self._search, bearer_grant(tokens)), prefix="/v1")
        return app

    @asynccontextmanager
    async def _lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        tasks = [
            asyncio.create_task(self._hub.run(), name="hub"),
            asyncio.create_task(self._end_expired(), name="expiry"),
            asyncio.create_task(self._end_silent(), name="silence"),
        ]
        for task in tasks:
            task.add_done_callback(_fail_loudly)
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self.drain()
            await self._tasks.close()
            await self._sockets.shutdown()
            await self._bus.close()
            await self._search.close()

    def _deliver(self, head: Head, messages: Sequence[Message]) -> None:
        for message in messages:
            self._metrics.emitted.labels(message.type).inc()
        self._audience.deliver(head, messages)

    def _welcome(self, head: Head) -> None:
        for namespace in self._namespaces:
            namespace.welcome(head)

    def _drop(self, viewer: Viewer) -> None:
        self._metrics.slow.inc()
        self._tasks.start(self._sockets.expel(viewer.engine_sid), "expel")

    def _end(self, viewers: Iterable[Viewer]) -> None:
        for viewer in viewers:
            self._audience.dismiss(viewer.sid)
            ending = self._sockets.disconnect(viewer.sid, namespace=viewer.namespace)
            self._tasks.start(ending, "disconnect")

    async def _end_expired(self) -> None:
        while True:
            for namespace in self._namespaces:
                self._end(namespace.end_expired(time.time(), self._patience.ending_token))
            await asyncio.sleep(EXPIRY_CHECK_SECONDS)

    async def _end_silent(self) -> None:
        """Say that pipelines are offline whose heartbeat has stopped.

        While the database is away every pipeline looks silent: they get time to beat again.
        """
        loop = asyncio.get_running_loop()
        patience = self._patience.silent_pipeline
        last_failure = loop.time()
        while True:
            await asyncio.sleep(patience / 10)
            if self._hub.lag_seconds > self._patience.lag:
                last_failure = loop.time()
            elif loop.time() - last_failure > patience:
                try:
                    ended = await end_silent_pipelines(self._database, patience)
                except DATABASE_ERRORS as error:
                    log.warning("silence_not_checked", error=type(error).__name__)
                else:
                    for pipeline_id in ended:
                        log.warning("pipeline_silent", pipeline=pipeline_id)


def _fail_loudly(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        log.error("task_died", task=task.get_name(), exc_info=error)
        raise SystemExit(1)
