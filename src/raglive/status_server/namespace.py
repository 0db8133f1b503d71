"""What a Socket.IO client of one pipeline type can ask, and how it is answered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any

import socketio
import structlog

from raglive.http_api.hosts import client_address
from raglive.status_server.admission import Limits
from raglive.status_server.audit import Place
from raglive.status_server.background import Tasks
from raglive.status_server.metrics import StatusMetrics
from raglive.status_server.monitoring import Monitoring
from raglive.status_server.publishing import Ingestion
from raglive.status_server.requests import answered, read_request
from raglive.status_server.sessions.registry import Door
from raglive.status_server.subscriptions.join import Showing, listed
from raglive.status_server.subscriptions.rooms import Audience, Viewer
from raglive.store.log.event_log import Head
from raglive_contract.cursor import parse_cursor
from raglive_contract.errors import ErrorCode, RagliveError
from raglive_contract.monitoring import MONITORING_ROOM
from raglive_contract.permissions import Grant
from raglive_contract.socket import AuthRefresh, ClientStatus, Subscribe, Unsubscribe

__all__ = ["PipelineNamespace"]

log = structlog.get_logger()

REQUESTS = frozenset(
    {"subscribe", "unsubscribe", "ping", "client:status", "auth:refresh", "publish"}
)
MENTIONED = 20  # pipelines in the audit of a subscription


class PipelineNamespace(socketio.AsyncNamespace):  # type: ignore[misc]  # socketio is untyped
    """The namespace of one pipeline type; nobody is in a room who may not see it."""

    def __init__(
        self,
        pipeline_type: str,
        *,
        showing: Showing,
        audience: Audience,
        ingestion: Ingestion,
        door: Door,
        limits: Limits,
        monitoring: Monitoring,
        give_up: Callable[[Viewer, RagliveError], None],
        tasks: Tasks,
        catch_up: Callable[[Viewer], None],
        metrics: StatusMetrics,
    ) -> None:
        super().__init__(f"/{pipeline_type}")
        self._type = pipeline_type
        self._showing = showing
        self._audience = audience
        self._ingestion = ingestion
        self._door = door
        self._limits = limits
        self._monitoring = monitoring
        self._give_up = give_up
        self._tasks = tasks
        self._catch_up = catch_up
        self.metrics = metrics

    async def on_connect(self, sid: str, environ: dict[str, Any], auth: object = None) -> None:
        """Let in who has a token; send the status of every pipeline that it may see."""
        place = Place(client_address(environ["asgi.scope"]), sid, self.namespace)
        try:
            identity = await self._door.enter(place, auth)
        except RagliveError as error:
            self.metrics.refused.labels(str(error.code)).inc()
            raise socketio.exceptions.ConnectionRefusedError(
                error.message, {"error": error.body()}
            ) from None
        engine = self.server.engine(sid, self.namespace)
        if engine is None:
            self._door.leave(sid, "the connection was lost")
            raise socketio.exceptions.ConnectionRefusedError("The connection is closed.")
        viewer = Viewer(sid, self.namespace, engine.sid, engine.queue)
        viewer.redact = identity.grant.redact
        self._audience.admit(viewer)
        self.metrics.connected.labels(self.namespace).inc()
        self._tasks.start(self._showing.greet(viewer, identity.grant), "greet")

    async def on_disconnect(self, sid: str, reason: str | None = None) -> None:
        """Forget the connection."""
        viewer = self._audience.find(sid)
        self._audience.dismiss(sid)
        seconds = None if viewer is None else round(time.monotonic() - viewer.since, 3)
        if seconds is not None:
            self.metrics.durations.observe(seconds)
        self.metrics.disconnected.labels(_reason(reason)).inc()
        self._door.leave(sid, reason, seconds)

    @answered
    async def on_subscribe(self, sid: str, data: object) -> dict[str, Any]:
        """Join pipelines; replay what the cursor missed, before the answer and anything live."""
        request = read_request(Subscribe, data)
        viewer, identity = self._door.visitor(sid)
        if request.room is not None:
            return self._look_on(viewer, identity.grant)
        cursor = None if request.cursor is None else parse_cursor(request.cursor)
        if cursor is not None and cursor.positions and not viewer.has_returned:
            viewer.has_returned = True
            self.metrics.reconnects.inc()
        wanted = await self._showing.wanted(identity.grant, request)
        self._limits.subscribe(len(viewer.pipelines.union(wanted)))
        viewer.batch = request.batch
        viewer.follows_all |= request.pipeline_id is None
        new = [id_ for id_ in wanted if id_ not in viewer.pipelines]
        self._release(viewer)  # of a request that came in the same payload, and is answered
        try:
            joined = [await self._showing.join(viewer, id_, cursor, wanted) for id_ in wanted]
        except BaseException:
            self._audience.leave(viewer, new)
            raise
        else:
            self._door.done(sid, "subscribe", pipelines=wanted[:MENTIONED], count=len(wanted))
            return {"pipelines": joined}
        finally:  # the answer is queued in this same step of the loop
            viewer.releasing = asyncio.get_running_loop().call_soon(self._release, viewer)

    @answered
    async def on_unsubscribe(self, sid: str, data: object) -> dict[str, Any]:
        """Leave pipelines; without naming any, all."""
        request = read_request(Unsubscribe, data)
        viewer, _ = self._door.visitor(sid)
        if request.room is not None:
            self._monitoring.leave(sid)
            return {"pipelines": sorted(viewer.pipelines)}
        self._showing.check_type(request.pipeline_type)
        left: Iterable[str] = listed(request.pipeline_id)
        if request.pipeline_id is None:
            left = viewer.pipelines
            viewer.follows_all = False
            self._monitoring.leave(sid)
        self._audience.leave(viewer, left)
        return {"pipelines": sorted(viewer.pipelines)}

    async def on_ping(self, _sid: str, *_sent: object) -> int:
        """Return the server's time, in milliseconds."""
        return time.time_ns() // 1_000_000

    @answered
    async def on_client_status(self, sid: str, data: object) -> dict[str, Any]:
        """Note whether anybody looks at the page."""
        status = read_request(ClientStatus, data)
        log.debug("client_status", connection=sid, client=status.client_id, status=status.status)
        return {}

    @answered
    async def on_auth_refresh(self, sid: str, data: object) -> dict[str, Any]:
        """Take a new token, and leave what it may not see."""
        request = read_request(AuthRefresh, data)
        viewer, identity = await self._door.refresh(sid, request.token)
        viewer.redact = identity.grant.redact
        denied = [id_ for id_ in viewer.pipelines if not identity.grant.may_view(id_)]
        if not identity.grant.may_monitor:
            self._monitoring.leave(sid)
        self._audience.leave(viewer, denied)
        return {"pipelines": sorted(viewer.pipelines)}

    @answered
    async def on_publish(self, sid: str, data: object) -> dict[str, Any]:
        """Publish events; what is acknowledged is committed."""
        _, identity = self._door.visitor(sid)
        return (await self._ingestion.publish(identity.grant, data)).wire()

    async def trigger_event(self, event: str, *args: Any) -> Any:
        """Find the handler of an event; refuse unknown ones."""
        if event in {"connect", "disconnect"}:
            return await super().trigger_event(event, *args)
        try:
            self.metrics.requested += 1
            self._door.request(args[0])
            if event not in REQUESTS:
                raise RagliveError(
                    f"There is no request {event[:64]!r}.", code=ErrorCode.INVALID_REQUEST
                )
        except RagliveError as error:
            self.refused(args[0], event[:64], error)
            return {"ok": False, "error": error.body()}
        return await super().trigger_event(event.replace(":", "_"), *args)

    def welcome(self, head: Head) -> None:
        """Show a log that begins to those who watched its earlier life, or follow all."""
        if head.pipeline_type == self._type:
            displaced = self._audience.vacate(head.pipeline_id)
            self._tasks.start(
                self._showing.show_new(head.pipeline_id, displaced), "show-new-pipeline"
            )

    def _look_on(self, viewer: Viewer, grant: Grant) -> dict[str, Any]:
        if not grant.may_monitor:
            raise RagliveError(
                f"{MONITORING_ROOM} takes the role `admin`.", code=ErrorCode.FORBIDDEN
            )
        self._monitoring.join(viewer)
        self._door.done(viewer.sid, "subscribe", room=MONITORING_ROOM)
        return {"pipelines": []}

    def refused(self, sid: str, request: str, error: RagliveError) -> None:
        """Take down a refusal; close a connection that goes on after it was told to wait."""
        self._door.refused(sid, request, error)
        if error.code != ErrorCode.RATE_LIMITED or not self._limits.goes_on(sid):
            return
        viewer = self._audience.find(sid)
        if viewer is not None:
            self._give_up(viewer, error)

    def _release(self, viewer: Viewer) -> None:
        if viewer.releasing is not None:
            viewer.releasing.cancel()
            viewer.releasing = None
        viewer.release()
        self._catch_up(viewer)


def _reason(reason: str | None) -> str:
    return (reason or "unknown").replace(" ", "_")
