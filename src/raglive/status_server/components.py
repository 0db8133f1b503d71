"""The parts of the status server, each made once from the parts that it needs.

A property makes its part at first use, so the order does not matter. Parts that need each other
are connected by callbacks, which run only while the server does.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from raglive.bus.bus import Bus
from raglive.http_api.authentication import Authenticator
from raglive.http_api.tokens import Tokens
from raglive.search.service import SearchService
from raglive.status_server.admission import Admission, AdmissionLimits, AllowedOrigins
from raglive.status_server.audit import Audit
from raglive.status_server.background import BackgroundTasks
from raglive.status_server.config import StatusServerConfig
from raglive.status_server.metrics import ServerState, StatusMetrics
from raglive.status_server.monitoring import MonitoringRoom
from raglive.status_server.namespace import PipelineNamespace
from raglive.status_server.offline_detector import OfflineDetector
from raglive.status_server.publishing import EventPublisher
from raglive.status_server.quotas import ProducerQuotas
from raglive.status_server.sessions.eviction import SessionEviction
from raglive.status_server.sessions.registry import SessionRegistry
from raglive.status_server.shutdown import GracefulShutdown
from raglive.status_server.subscriptions.back_pressure import BackPressure
from raglive.status_server.subscriptions.hub import Hub
from raglive.status_server.subscriptions.messages import Message
from raglive.status_server.subscriptions.pipeline_subscriptions import PipelineSubscriptions
from raglive.status_server.subscriptions.rooms import Rooms, Subscriber
from raglive.status_server.transport.connection_writer import Traffic
from raglive.status_server.transport.socketio_server import SocketServer, heartbeat_times
from raglive.store.access.revocations import Revocations
from raglive.store.log.event_log import EventLog, Head
from raglive.store.log.pipeline_status import PipelineReads
from raglive.store.pool import Database
from raglive_contract.socket import EVERY_PIPELINE

__all__ = ["StatusComponents"]


class StatusComponents:
    """Wires the server: the log to the rooms, and requests to sessions and subscriptions."""

    def __init__(
        self,
        config: StatusServerConfig,
        database: Database,
        tokens: Tokens,
        search: SearchService,
        bus: Bus,
    ) -> None:
        self.config = config
        self.database = database
        self.timeouts = config.timeouts
        self.redaction = tokens.redaction()
        self.tasks = BackgroundTasks()
        self.reads = PipelineReads(database)
        self.bus = bus
        self.search = search
        self.limits = AdmissionLimits(config.admission)
        self.revocations = Revocations(database, self._evict_unauthorized)
        self.authenticator = Authenticator(tokens, self.revocations)
        self.rooms = Rooms(self._catch_up, self.redaction)
        self.traffic = Traffic()

    @cached_property
    def metrics(self) -> StatusMetrics:
        """The Prometheus metrics."""
        return StatusMetrics(
            self._state,
            self.database,
            self.bus,
            by_pipeline=self.config.metrics_by_pipeline,
        )

    @cached_property
    def hub(self) -> Hub:
        """The reader of the log, which delivers to the rooms."""
        return Hub(
            EventLog(self.database),
            self.reads,
            self.bus,
            self._deliver,
            on_log_started=self._show_new_log,
            on_log_removed=self._report_removal,
            watched=self.rooms.watched,
            heartbeat_interval_seconds=self.config.heartbeat_interval_seconds,
        )

    @cached_property
    def offline_detector(self) -> OfflineDetector:
        """Marks silent pipelines offline."""
        return OfflineDetector(self.database, lambda: self.hub.lag_seconds, self.timeouts)

    @cached_property
    def sockets(self) -> SocketServer:
        """Socket.IO, with its namespaces registered by `StatusServer`."""
        ping_interval, ping_timeout = heartbeat_times(self.config.socket_timeout_seconds)
        return SocketServer(
            ping_interval=ping_interval,
            ping_timeout=ping_timeout,
            handshake_seconds=self.config.handshake_seconds,
            count_address=self.limits.count_address,
            name=self.config.server_name,
        )

    @cached_property
    def shutdown(self) -> GracefulShutdown:
        """Drains the connections."""
        return GracefulShutdown(self.rooms, self.sockets, self.timeouts.graceful_shutdown)

    @cached_property
    def monitoring(self) -> MonitoringRoom:
        """The room of administrators."""
        return MonitoringRoom(
            self.rooms,
            self.metrics,
            self.database,
            transports=self.sockets.session_count,
            lag_seconds=lambda: self.hub.lag_seconds,
        )

    @cached_property
    def audit(self) -> Audit:
        """Records actions and refusals."""
        return Audit(self.metrics, self.monitoring.publish)

    @cached_property
    def admission(self) -> Admission:
        """Admits connections and HTTP requests."""
        return Admission(
            AllowedOrigins(self.config.admission.allowed_origins),
            self.limits,
            self.audit,
            open_connections=self.sockets.session_count,
            is_draining=lambda: self.shutdown.is_draining,
        )

    @cached_property
    def registry(self) -> SessionRegistry:
        """The sessions of viewers."""
        return SessionRegistry(
            self.authenticator, self.limits, self.audit, self.rooms, self.monitoring
        )

    @cached_property
    def eviction(self) -> SessionEviction:
        """Ends sessions."""
        return SessionEviction(
            self.registry,
            self.rooms,
            self.monitoring,
            self.sockets,
            tasks=self.tasks,
            metrics=self.metrics,
            idle_seconds=self.config.idle_seconds,
            expiry_warning_seconds=self.timeouts.token_expiry_warning,
        )

    @cached_property
    def quotas(self) -> ProducerQuotas:
        """The daily quotas of producers."""
        return ProducerQuotas(self.database, self.config.admission.daily_quota)

    @cached_property
    def publisher(self) -> EventPublisher:
        """Commits events of producers."""
        return EventPublisher(
            self.database,
            self.bus,
            self.metrics,
            limits=self.limits,
            quotas=self.quotas,
            known=self.hub.known,
        )

    @cached_property
    def back_pressure(self) -> BackPressure:
        """Brings slow subscribers back to live events."""
        return BackPressure(
            self.hub,
            self.rooms,
            self.tasks,
            restart=self._restart,
            close=self.eviction.evict_slow,
            metrics=self.metrics,
            seconds=self.timeouts.slow_viewer,
        )

    @cached_property
    def subscriptions(self) -> dict[str, PipelineSubscriptions]:
        """The subscriptions of each namespace."""
        return {
            namespace: PipelineSubscriptions(
                namespace,
                kind,
                hub=self.hub,
                rooms=self.rooms,
                registry=self.registry,
                redaction=self.redaction,
                slow_seconds=self.timeouts.slow_viewer,
                metrics=self.metrics,
            )
            for namespace, kind in self._types.items()
        }

    @cached_property
    def namespaces(self) -> list[PipelineNamespace]:
        """The handlers of each namespace."""
        return [
            PipelineNamespace(
                namespace,
                subscriptions=subscriptions,
                rooms=self.rooms,
                back_pressure=self.back_pressure,
                publisher=self.publisher,
                registry=self.registry,
                eviction=self.eviction,
                limits=self.limits,
                monitoring=self.monitoring,
                tasks=self.tasks,
                metrics=self.metrics,
                lag_seconds=lambda: self.hub.lag_seconds,
            )
            for namespace, subscriptions in self.subscriptions.items()
        ]

    @property
    def _types(self) -> dict[str, str | None]:
        """The pipeline type of each namespace; None stands for every type."""
        return {**{f"/{kind}": kind for kind in self.config.pipeline_types}, EVERY_PIPELINE: None}

    def _state(self) -> ServerState:
        return ServerState(
            clients=len(self.rooms),
            behind=sum(not one.is_current for one in self.rooms.everyone()),
            transport=self.sockets.state(),
            lag_seconds=self.hub.lag_seconds,
            conflated=self.hub.conflated,
            gaps=self.hub.gaps,
            digest_mismatches=self.hub.digest_mismatches,
            traffic=self.traffic,
        )

    def _deliver(self, head: Head, messages: Sequence[Message]) -> None:
        self.metrics.note_delivery(messages, self.rooms.deliver(head, messages))

    def _show_new_log(self, head: Head) -> None:
        displaced = self.rooms.empty(head.pipeline_id)
        for namespace in self.namespaces:
            namespace.show_new_log(head, displaced)

    def _report_removal(self, head: Head) -> None:
        for namespace in self.namespaces:
            namespace.report_removal(head)

    async def _restart(self, subscriber: Subscriber, pipeline_id: str) -> None:
        await self.subscriptions[subscriber.namespace].restart(subscriber, pipeline_id)

    def _catch_up(self, subscriber: Subscriber) -> None:
        self.back_pressure.catch_up(subscriber)

    def _evict_unauthorized(self) -> None:
        self.eviction.check()
