"""A Socket.IO namespace of pipelines: connect, disconnect, and every request."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import orjson
import socketio
import structlog

from raglive.http_api.allowed_hosts import client_address
from raglive.status_server.admission import AdmissionLimits
from raglive.status_server.audit import ClientOrigin
from raglive.status_server.background import BackgroundTasks
from raglive.status_server.metrics import StatusMetrics
from raglive.status_server.monitoring import MonitoringRoom
from raglive.status_server.publishing import EventPublisher
from raglive.status_server.requests import answered, read_request
from raglive.status_server.sessions.eviction import SessionEviction
from raglive.status_server.sessions.registry import SessionRegistry
from raglive.status_server.subscriptions.back_pressure import BackPressure
from raglive.status_server.subscriptions.pipeline_subscriptions import (
    PipelineSubscriptions,
    named_pipelines,
)
from raglive.status_server.subscriptions.rooms import Rooms, Subscriber
from raglive.store.log.event_log import Head
from raglive_contract.cursor import parse_cursor
from raglive_contract.errors import ErrorCode, RagliveError
from raglive_contract.monitoring import MONITORING_ROOM
from raglive_contract.permissions import Grant
from raglive_contract.socket import (
    AuthRefresh,
    ClientStatus,
    PipelineRemoved,
    Subscribe,
    Unsubscribe,
)

__all__ = ["PipelineNamespace"]

log = structlog.get_logger()

REQUESTS = frozenset(
    {"subscribe", "unsubscribe", "ping", "client:status", "auth:refresh", "publish"}
)
AUDITED_PIPELINES = 20  # of one subscription


class PipelineNamespace(socketio.AsyncNamespace):  # type: ignore[misc]  # socketio is untyped
    """Handles the clients of the namespace's pipelines.

    `lag_seconds` is the age of what was read of the logs, and handed to the rooms.
    """

    def __init__(
        self,
        namespace: str,
        *,
        subscriptions: PipelineSubscriptions,
        rooms: Rooms,
        back_pressure: BackPressure,
        publisher: EventPublisher,
        registry: SessionRegistry,
        eviction: SessionEviction,
        limits: AdmissionLimits,
        monitoring: MonitoringRoom,
        tasks: BackgroundTasks,
        metrics: StatusMetrics,
        lag_seconds: Callable[[], float],
    ) -> None:
        super().__init__(namespace)
        self._lag_seconds = lag_seconds
        self._subscriptions = subscriptions
        self._rooms = rooms
        self._back_pressure = back_pressure
        self._publisher = publisher
        self._registry = registry
        self._eviction = eviction
        self._limits = limits
        self._monitoring = monitoring
        self._tasks = tasks
        self.metrics = metrics

    async def on_connect(self, sid: str, environ: dict[str, Any], auth: object = None) -> None:
        """Open a session, and send the status of every pipeline that its token may see."""
        origin = ClientOrigin(client_address(environ["asgi.scope"]), sid, self.namespace)
        try:
            identity = await self._registry.open(origin, auth)
        except RagliveError as error:
            self.metrics.refused.labels(str(error.code)).inc()
            raise socketio.exceptions.ConnectionRefusedError(
                error.message, {"error": error.body()}
            ) from None
        session = self.server.engine_session(sid, self.namespace)
        if session is None:
            self._registry.close(sid, "the connection was lost")
            raise socketio.exceptions.ConnectionRefusedError("The connection is closed.")
        subscriber = Subscriber(sid, self.namespace, session.sid, session.queue)
        subscriber.redact = identity.grant.redact
        self._rooms.add(subscriber)
        self.metrics.connected.labels(self.namespace).inc()
        snapshots = self._subscriptions.send_snapshots(subscriber, identity.grant)
        self._tasks.start(snapshots, "send-snapshots")

    async def on_disconnect(self, sid: str, reason: str | None = None) -> None:
        """Close the session; a connection that is now in no namespace has to join one in time."""
        self.server.expect_namespace(sid, self.namespace)
        subscriber = self._rooms.find(sid)
        self._rooms.remove(sid)
        seconds = None
        if subscriber is not None:
            seconds = round(time.monotonic() - subscriber.connected_at, 3)
            self.metrics.durations.observe(seconds)
        self.metrics.disconnected.labels((reason or "unknown").replace(" ", "_")).inc()
        self._registry.close(sid, reason, seconds)

    @answered
    async def on_subscribe(self, sid: str, data: object) -> dict[str, object]:
        """Join pipelines; the replay comes before the answer, and live events after it."""
        request = read_request(Subscribe, data)
        subscriber, identity = self._registry.authorize(sid)
        if request.room is not None:
            return self._join_monitoring(subscriber, identity.grant)
        cursor = None if request.cursor is None else parse_cursor(request.cursor)
        if cursor is not None and cursor.positions and not subscriber.has_resumed:
            subscriber.has_resumed = True
            self.metrics.reconnects.inc()
        wanted = await self._subscriptions.requested(identity.grant, request)
        self._limits.check_subscriptions(len(subscriber.pipelines.union(wanted)))
        subscriber.batch = request.batch
        subscriber.follows_all |= request.pipeline_id is None
        new = [id_ for id_ in wanted if id_ not in subscriber.pipelines]
        self._release(subscriber)  # of an answered request in the same payload
        try:
            joined = await self._subscriptions.subscribe(subscriber, wanted, cursor)
        except BaseException:
            self._rooms.leave(subscriber, new)
            raise
        else:
            audited = wanted[:AUDITED_PIPELINES]
            self._registry.record(sid, "subscribe", pipelines=audited, count=len(wanted))
            return {"pipelines": joined}
        finally:  # the answer is queued in this same step of the loop
            loop = asyncio.get_running_loop()
            subscriber.releasing = loop.call_soon(self._release, subscriber)

    @answered
    async def on_unsubscribe(self, sid: str, data: object) -> dict[str, object]:
        """Leave the named pipelines; without a name, all of them and the monitoring room."""
        request = read_request(Unsubscribe, data)
        subscriber, _ = self._registry.authorize(sid)
        if request.room is not None:
            self._monitoring.leave(sid)
            return {"pipelines": sorted(subscriber.pipelines)}
        self._subscriptions.check_type(request.pipeline_type)
        left: Iterable[str] = named_pipelines(request.pipeline_id)
        if request.pipeline_id is None:
            left = subscriber.pipelines
            subscriber.follows_all = False
            self._monitoring.leave(sid)
        self._rooms.leave(subscriber, left)
        return {"pipelines": sorted(subscriber.pipelines)}

    async def on_ping(self, sid: str, *_sent: object) -> tuple[int, dict[str, object]]:
        """Return the server's time in milliseconds, and the `Bookmark`.

        The answer is queued behind what the client was sent before, unless the client is behind.
        """
        subscriber, lag = self._rooms.find(sid), self._lag_seconds()
        is_known = subscriber is not None and subscriber.is_current and lag < math.inf
        bookmark: dict[str, object] = {"lag_ms": round(lag * 1000, 1) if is_known else None}
        return time.time_ns() // 1_000_000, bookmark

    @answered
    async def on_client_status(self, sid: str, data: object) -> dict[str, object]:
        """Log whether the page is active, idle or in the background."""
        status = read_request(ClientStatus, data)
        log.debug("client_status", connection=sid, client=status.client_id, status=status.status)
        return {}

    @answered
    async def on_auth_refresh(self, sid: str, data: object) -> dict[str, object]:
        """Replace the token, and leave the rooms that the new one does not cover."""
        request = read_request(AuthRefresh, data)
        subscriber, identity = await self._registry.refresh(sid, request.token)
        subscriber.redact = identity.grant.redact
        denied = [id_ for id_ in subscriber.pipelines if not identity.grant.may_view(id_)]
        if not identity.grant.may_monitor:
            self._monitoring.leave(sid)
        self._rooms.leave(subscriber, denied)
        return {"pipelines": sorted(subscriber.pipelines)}

    @answered
    async def on_publish(self, sid: str, data: object) -> dict[str, object]:
        """Publish events; acknowledged events are committed."""
        _, identity = self._registry.authorize(sid)
        try:
            body = orjson.dumps(data)
        except orjson.JSONEncodeError as error:
            raise RagliveError(
                f"The batch is not JSON: {error}.", code=ErrorCode.INVALID_EVENT
            ) from None
        return (await self._publisher.publish(identity, body)).wire()

    async def trigger_event(self, event: str, *args: Any) -> Any:
        """Apply the rate limits, and dispatch a request to its handler."""
        if event in {"connect", "disconnect"}:
            return await super().trigger_event(event, *args)
        try:
            self.metrics.requested += 1
            self._registry.count_request(args[0])
            if event not in REQUESTS:
                raise RagliveError(
                    f"There is no request {event[:64]!r}.", code=ErrorCode.INVALID_REQUEST
                )
        except RagliveError as error:
            self.record_refusal(args[0], event[:64], error)
            return {"ok": False, "error": error.body()}
        return await super().trigger_event(event.replace(":", "_"), *args)

    def show_new_log(self, head: Head, displaced: Sequence[Subscriber]) -> None:
        """Subscribe viewers to a new log that replaces theirs, and those that follow all logs."""
        if self._subscriptions.covers(head):
            showing = self._subscriptions.show_new_log(head.pipeline_id, displaced)
            self._tasks.start(showing, "show-new-log")

    def report_removal(self, head: Head) -> None:
        """Tell everyone who may see a pipeline that it was removed.

        Its room remains: if it is created again, its members get the new log.
        """
        if not self._subscriptions.covers(head):
            return
        body = PipelineRemoved(pipeline_id=head.pipeline_id).model_dump_json().encode()
        for subscriber, session in self._registry.connected():
            is_here = subscriber.namespace == self.namespace
            if is_here and session.identity.grant.may_view(head.pipeline_id):
                self._rooms.send(subscriber, "pipeline:removed", body)

    def record_refusal(self, sid: str, request: str, error: RagliveError) -> None:
        """Audit a refusal; evict a client that does not slow down when told to."""
        self._registry.record_refusal(sid, request, error)
        if error.code != ErrorCode.RATE_LIMITED or not self._limits.ignores_refusals(sid):
            return
        subscriber = self._rooms.find(sid)
        if subscriber is not None:
            self._eviction.evict(subscriber, error)

    def _join_monitoring(self, subscriber: Subscriber, grant: Grant) -> dict[str, object]:
        if not grant.may_monitor:
            raise RagliveError(
                f"{MONITORING_ROOM} requires the role `admin`.", code=ErrorCode.FORBIDDEN
            )
        self._monitoring.join(subscriber)
        self._registry.record(subscriber.sid, "subscribe", room=MONITORING_ROOM)
        return {"pipelines": []}

    def _release(self, subscriber: Subscriber) -> None:
        if subscriber.releasing is not None:
            subscriber.releasing.cancel()
            subscriber.releasing = None
        subscriber.release()
        self._back_pressure.catch_up(subscriber)
