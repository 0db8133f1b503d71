"""The status server: the hub's events to Socket.IO rooms, and HTTP beside it, on one port."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Sequence
from contextlib import asynccontextmanager

import socketio
import structlog
from fastapi import FastAPI
from starlette.types import ASGIApp

from raglive import __version__
from raglive.bus.postgres import PostgresBus
from raglive.http_api.authentication import Authenticator, bearer_grant
from raglive.http_api.hosts import AllowedHosts
from raglive.http_api.middleware import AddressLimit, BodyLimit, RequestLog
from raglive.http_api.openapi import describe, refusals
from raglive.http_api.pipelines import pipelines_router
from raglive.http_api.responses import install_error_handlers
from raglive.http_api.search import search_router
from raglive.http_api.tokens import Tokens
from raglive.search.questions import Search
from raglive.settings import Settings
from raglive.status_server.admission import Entrance, Limits, Origins
from raglive.status_server.audit import Audit
from raglive.status_server.background import Tasks
from raglive.status_server.http.endpoints import Readiness, status_router
from raglive.status_server.metrics import Found, StatusMetrics
from raglive.status_server.monitoring import Monitoring
from raglive.status_server.namespace import PipelineNamespace
from raglive.status_server.offline_detector import end_silent
from raglive.status_server.publishing import Ingestion
from raglive.status_server.sessions.eviction import Doorkeeper
from raglive.status_server.sessions.registry import Door
from raglive.status_server.shutdown import Departure
from raglive.status_server.subscriptions.catch_up import CatchingUp
from raglive.status_server.subscriptions.hub import Hub
from raglive.status_server.subscriptions.join import Showing
from raglive.status_server.subscriptions.messages import Message
from raglive.status_server.subscriptions.rooms import Audience, Viewer
from raglive.status_server.timeouts import PATIENCE, Patience
from raglive.status_server.transport.connection import StalledConnections
from raglive.status_server.transport.payloads import Gate
from raglive.status_server.transport.socketio_server import MAX_MESSAGE_BYTES, socket_server
from raglive.store.access.revocations import Revocations
from raglive.store.log.event_log import EventLog, Head
from raglive.store.log.pipeline_status import PipelineReads
from raglive.store.pool import Database
from raglive.store.registry.file_listing import FileListing
from raglive_contract.events import Submission
from raglive_contract.redaction import Redaction

__all__ = ["StatusServer"]

log = structlog.get_logger()

MAX_BODY_BYTES = 16 * 2**20


class StatusServer:
    """Everything behind port 8103; `asgi` is the application to serve."""

    def __init__(
        self,
        settings: Settings,
        database: Database,
        tokens: Tokens,
        patience: Patience = PATIENCE,
    ) -> None:
        self._database = database
        self._patience = patience
        self._reads = PipelineReads(database)
        self._search = Search(database, settings)
        self._tasks = Tasks()
        redaction = tokens.redaction()
        self._audience = Audience(self._fell_behind, redaction)
        self._bus = PostgresBus(database.dsn, listens=database.listens)
        self._hub = Hub(
            EventLog(database),
            self._reads,
            self._bus,
            self._deliver,
            on_log_started=self._welcome,
            watched=self._audience.watched,
            heartbeat_interval_seconds=settings.heartbeat_interval,
        )
        self._metrics = StatusMetrics(self._find)
        database.time_queries(self._metrics.queries.observe)
        self._revocations = Revocations(database, self._end_unwelcome)
        self._authenticator = Authenticator(tokens, self._revocations)
        self._limits = Limits(settings)
        self._ingestion = Ingestion(
            database, self._bus, self._metrics, self._limits, self._hub.known
        )
        self._origins = Origins(settings)
        self._sockets = socket_server(settings, self._origins, self._limits.count_address)
        self._departure = Departure(self._audience, self._sockets, patience.leaving)
        self._monitoring = Monitoring(
            self._audience,
            self._metrics,
            database,
            transports=self._sockets.transports,
            lag_seconds=lambda: self._hub.lag_seconds,
        )
        self._audit = Audit(self._metrics, self._monitoring.show)
        self._entrance = Entrance(self._limits, self._audit, self._sockets.transports)
        self._door = Door(
            self._authenticator,
            self._limits,
            self._audit,
            self._audience,
            self._monitoring,
            idle_seconds=settings.idle_seconds,
        )
        self._doorkeeper = Doorkeeper(
            self._door,
            self._audience,
            self._sockets,
            self._tasks,
            self._metrics,
            warning_seconds=patience.ending_token,
            handshake_seconds=settings.handshake_seconds,
        )
        showings = {
            f"/{kind}": Showing(
                kind,
                hub=self._hub,
                audience=self._audience,
                door=self._door,
                redaction=redaction,
                slow_seconds=patience.slow_viewer,
                metrics=self._metrics,
            )
            for kind in settings.pipeline_types
        }
        self._namespaces = [
            PipelineNamespace(
                kind,
                showing=showings[f"/{kind}"],
                audience=self._audience,
                ingestion=self._ingestion,
                door=self._door,
                limits=self._limits,
                monitoring=self._monitoring,
                give_up=self._doorkeeper.give_up,
                tasks=self._tasks,
                catch_up=self._fell_behind,
                metrics=self._metrics,
            )
            for kind in settings.pipeline_types
        ]
        for namespace in self._namespaces:
            self._sockets.register_namespace(namespace)
        self._catching_up = CatchingUp(
            self._hub,
            self._audience,
            self._tasks,
            show=lambda viewer, pipeline_id: showings[viewer.namespace].show(viewer, pipeline_id),
            give_up=self._doorkeeper.drop,
            metrics=self._metrics,
            seconds=patience.slow_viewer,
        )
        self.asgi = self._assemble(settings, redaction)

    async def until_drained(self, stop: Awaitable[None]) -> None:
        """Wait for `stop`, then let every viewer go; what serves `asgi` can end after that."""
        await stop
        await self.drain()

    async def drain(self) -> None:
        """Tell every viewer when to come back, and close its connection; may be called again."""
        await self._departure.take()

    def _assemble(self, settings: Settings, redaction: Redaction) -> ASGIApp:
        limited = AddressLimit(
            BodyLimit(self._http(redaction), MAX_BODY_BYTES), self._entrance.count
        )
        both = socketio.ASGIApp(
            self._sockets, other_asgi_app=limited, socketio_path=settings.socket_path
        )
        gate = Gate(
            both,
            settings.socket_path,
            max_bytes=MAX_MESSAGE_BYTES,
            expel=self._sockets.expel,
            is_draining=lambda: self._departure.has_begun,
            check=self._origins.check,
            admit=self._entrance.admit,
        )
        allowed = AllowedHosts(gate, settings.host, settings.allowed_hosts)
        logged = RequestLog(allowed, self._metrics)
        self._traffic = StalledConnections(logged, self._patience.stalled_connection)
        return self._traffic

    def _http(self, redaction: Redaction) -> FastAPI:
        app = FastAPI(
            title="raglive status server",
            version=__version__,
            lifespan=self._lifespan,
            openapi_url="/openapi.json",
            responses=refusals(421),
        )
        describe(app, Submission, token_required=True)
        install_error_handlers(app, self._entrance.refused)
        app.include_router(
            status_router(
                audience=self._audience,
                ingestion=self._ingestion,
                authenticator=self._authenticator,
                limits=self._limits,
                redaction=redaction,
                metrics=self._metrics,
                reads=self._reads,
                readiness=self._readiness,
                is_alive=lambda: self._hub.idle_seconds < self._patience.standing_still,
            )
        )
        viewer = bearer_grant(self._authenticator, self._limits.request_of_subject)
        pipelines = pipelines_router(self._reads, FileListing(self._database), viewer, redaction)
        app.include_router(pipelines, prefix="/v1/pipelines")
        app.include_router(search_router(self._search, viewer), prefix="/v1")
        return app

    @asynccontextmanager
    async def _lifespan(self, _app: FastAPI) -> AsyncIterator[None]:
        tasks = [
            asyncio.create_task(self._hub.run(), name="hub"),
            asyncio.create_task(self._doorkeeper.run(), name="door"),
            asyncio.create_task(self._revocations.run(), name="revocations"),
            asyncio.create_task(self._monitoring.run(self._audit), name="monitoring"),
            asyncio.create_task(
                end_silent(self._database, lambda: self._hub.lag_seconds, self._patience),
                name="silence",
            ),
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
        for kind, count in Counter(message.type for message in messages).items():
            self._metrics.emitted.labels(kind).inc(count)
        self._metrics.handed_out += len(messages)
        before = self._audience.delivered
        self._audience.deliver(head, messages)
        self._metrics.deliveries.inc(self._audience.delivered - before)
        if occurred_at := messages[-1].occurred_at:
            self._metrics.latency.observe(max(0.0, time.time() - occurred_at))

    def _readiness(self) -> Readiness:
        patience = self._patience
        return Readiness(
            is_draining=self._departure.has_begun,
            lag_seconds=self._hub.lag_seconds,
            is_lagging=self._hub.lag_seconds > patience.lag,
            is_bus_silent=self._bus.silent_seconds > patience.bus,
        )

    def _find(self) -> Found:
        engines = list(self._sockets.eio.sockets.values())
        held = [engine.queue.held_bytes for engine in engines]
        return Found(
            clients=len(self._audience),
            transports=Counter(engine.transport for engine in engines),
            queued_packets=sum(engine.queue.qsize() for engine in engines),
            held_bytes=sum(held),
            most_held_bytes=max(held, default=0),
            lag_seconds=self._hub.lag_seconds,
            bus_silence_seconds=self._bus.silent_seconds,
            conflated=self._hub.conflated,
            gaps=self._hub.gaps,
            digest_mismatches=self._hub.digest_mismatches,
            dropped=self._sockets.eio.dropped,
            sent_bytes=self._traffic.sent_bytes,
            received_bytes=self._traffic.received_bytes,
        )

    def _welcome(self, head: Head) -> None:
        for namespace in self._namespaces:
            namespace.welcome(head)

    def _fell_behind(self, viewer: Viewer) -> None:
        self._catching_up.start(viewer)

    def _end_unwelcome(self) -> None:
        self._doorkeeper.end_unwelcome()


def _fail_loudly(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        log.error("task_died", task=task.get_name(), exc_info=error)
        raise SystemExit(1)
