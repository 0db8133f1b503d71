"""What a Socket.IO client of one pipeline type can ask, and how it is answered."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Any

import orjson
import socketio
import structlog

from raglive.contract.cursor import Cursor, Position, parse_cursor
from raglive.contract.errors import ErrorCode, RagliveError
from raglive.contract.monitoring import MONITORING_ROOM
from raglive.contract.permissions import Grant
from raglive.contract.redaction import Redaction
from raglive.contract.socket import AuthRefresh, ClientStatus, Subscribe, Unsubscribe
from raglive.database.errors import DATABASE_ERRORS
from raglive.database.event_log import Head
from raglive.http_api.hosts import client_address
from raglive.hub.channel import Opening
from raglive.hub.hub import Hub
from raglive.status_server.audience import Audience, Viewer
from raglive.status_server.audit import Place
from raglive.status_server.door import Door
from raglive.status_server.ingestion import Ingestion
from raglive.status_server.limits import Limits
from raglive.status_server.metrics import StatusMetrics
from raglive.status_server.monitoring import Monitoring
from raglive.status_server.requests import answered, read_request
from raglive.status_server.tasks import Tasks

__all__ = ["PipelineNamespace"]

log = structlog.get_logger()

REQUESTS = frozenset(
    {"subscribe", "unsubscribe", "ping", "client:status", "auth:refresh", "publish"}
)
RETRY_SECONDS = 1.0
MENTIONED = 20  # pipelines in the audit of a subscription


class PipelineNamespace(socketio.AsyncNamespace):  # type: ignore[misc]  # socketio is untyped
    """The namespace of one pipeline type; nobody is in a room who may not see it."""

    def __init__(
        self,
        pipeline_type: str,
        *,
        hub: Hub,
        audience: Audience,
        ingestion: Ingestion,
        door: Door,
        limits: Limits,
        monitoring: Monitoring,
        redaction: Redaction,
        give_up: Callable[[Viewer, RagliveError], None],
        tasks: Tasks,
        catch_up: Callable[[Viewer], None],
        slow_seconds: float,
        metrics: StatusMetrics,
    ) -> None:
        super().__init__(f"/{pipeline_type}")
        self._type = pipeline_type
        self._hub = hub
        self._audience = audience
        self._ingestion = ingestion
        self._door = door
        self._limits = limits
        self._monitoring = monitoring
        self._redaction = redaction
        self._give_up = give_up
        self._tasks = tasks
        self._catch_up = catch_up
        self._slow_seconds = slow_seconds
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
        self._tasks.start(self._greet(viewer, identity.grant), "greet")

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
        wanted = await self._wanted(identity.grant, request)
        self._limits.subscribe(len(viewer.pipelines.union(wanted)))
        viewer.batch = request.batch
        viewer.follows_all |= request.pipeline_id is None
        new = [id_ for id_ in wanted if id_ not in viewer.pipelines]
        try:
            joined = [await self._join(viewer, id_, cursor, wanted) for id_ in wanted]
        except BaseException:
            self._audience.leave(viewer, new)
            raise
        else:
            self._door.done(sid, "subscribe", pipelines=wanted[:MENTIONED], count=len(wanted))
            return {"pipelines": joined}
        finally:  # the answer is queued in this same step of the loop
            asyncio.get_running_loop().call_soon(self._release, viewer)

    @answered
    async def on_unsubscribe(self, sid: str, data: object) -> dict[str, Any]:
        """Leave pipelines; without naming any, all."""
        request = read_request(Unsubscribe, data)
        viewer, _ = self._door.visitor(sid)
        if request.room is not None:
            self._monitoring.leave(sid)
            return {"pipelines": sorted(viewer.pipelines)}
        self._check_type(request.pipeline_type)
        left: Iterable[str] = _listed(request.pipeline_id)
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
            self._tasks.start(self._show_new(head.pipeline_id, displaced), "show-new-pipeline")

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

    async def _greet(self, viewer: Viewer, grant: Grant) -> None:
        try:
            await self._hub.look()
            for pipeline_id in self._visible(grant):
                await self._room(viewer)
                snapshot = await self._hub.snapshot(pipeline_id)
                if self._audience.find(viewer.sid) is not viewer:
                    return
                if pipeline_id not in viewer.pipelines:  # or it would be older than their events
                    self._send_status(viewer, snapshot)
        except (RagliveError, *DATABASE_ERRORS) as error:  # type: ignore[misc]  # a flat tuple
            log.warning("status_not_sent", connection=viewer.sid, error=type(error).__name__)

    async def _show_new(self, pipeline_id: str, displaced: list[Viewer]) -> None:
        for viewer in self._audience.everyone():
            if viewer.namespace != self.namespace or pipeline_id in viewer.pipelines:
                continue
            if viewer.follows_all or viewer in displaced:
                await self.show(viewer, pipeline_id)

    async def show(self, viewer: Viewer, pipeline_id: str) -> None:
        """Send a pipeline's status to a viewer, and what follows."""

        def join(opening: Opening) -> None:
            if self._may_see(viewer, pipeline_id):
                self._send_status(viewer, opening.snapshot)
                self._audience.join(viewer, pipeline_id, opening.missed)

        while self._may_see(viewer, pipeline_id):
            try:
                await self._room(viewer)
                await self._hub.open(pipeline_id, None, join)
            except (RagliveError, *DATABASE_ERRORS) as error:  # type: ignore[misc]  # a flat tuple
                log.warning("pipeline_not_shown", pipeline=pipeline_id, error=type(error).__name__)
                if isinstance(error, RagliveError) and not error.retryable:
                    return
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return

    def _may_see(self, viewer: Viewer, pipeline_id: str) -> bool:
        """Say whether a viewer is here, and has the right at this moment."""
        identity = self._door.identity(viewer.sid)
        present = self._audience.find(viewer.sid) is viewer
        return present and identity is not None and identity.grant.may_view(pipeline_id)

    def _send_status(self, viewer: Viewer, snapshot: dict[str, Any]) -> None:
        shown = self._redaction.status(snapshot) if viewer.redact else snapshot
        self._audience.send(viewer, "pipeline:status", orjson.dumps(shown))

    def _visible(self, grant: Grant) -> list[str]:
        return [
            head.pipeline_id
            for head in self._hub.heads()
            if head.pipeline_type == self._type and grant.may_view(head.pipeline_id)
        ]

    async def _wanted(self, grant: Grant, request: Subscribe) -> list[str]:
        self._check_type(request.pipeline_type)
        if request.pipeline_id is None:
            await self._hub.look()
            return self._visible(grant)
        named = list(dict.fromkeys(_listed(request.pipeline_id)))
        for name in named:
            head = await self._hub.find(name) if grant.may_view(name) else None
            if head is None or head.pipeline_type != self._type:
                raise _no_pipeline(name)
        return named

    def _check_type(self, pipeline_type: str | None) -> None:
        if pipeline_type not in {None, self._type}:
            raise RagliveError(
                f"This is the namespace {self.namespace}: pipelines of type "
                f"{pipeline_type} are in /{pipeline_type}.",
                code=ErrorCode.INVALID_REQUEST,
            )

    async def _join(
        self, viewer: Viewer, pipeline_id: str, cursor: Cursor | None, wanted: list[str]
    ) -> dict[str, Any]:
        written = 0

        def join(opening: Opening) -> None:
            nonlocal written
            if not self._may_see(viewer, pipeline_id):  # no longer
                raise _no_pipeline(pipeline_id)
            viewer.hold(pipeline_id)
            written = self._audience.join(viewer, pipeline_id, opening.missed)

        replayed = 0
        while True:
            await self._room(viewer)
            opening = await self._hub.open(pipeline_id, cursor, join, among=wanted)
            replayed += written
            if written == len(opening.missed):
                break
            if written:
                cursor = _at(opening, written)
        if cursor is not None:
            self.metrics.resumes.labels(opening.place).inc()
        return {
            "pipeline_id": pipeline_id,
            "snapshot": self._redaction.status(opening.snapshot)
            if viewer.redact
            else opening.snapshot,
            "cursor": str(opening.position),
            "digest": opening.digest.hex(),
            "recovered": opening.recovered,
            "replayed": replayed,
        }

    async def _room(self, viewer: Viewer) -> None:
        """Wait until a viewer has read what it was sent; raise `too_slow` when it does not."""
        if not await viewer.outbox.room(self._slow_seconds):
            raise RagliveError(
                "What was sent before has not been read.", code=ErrorCode.TOO_SLOW, retryable=True
            )

    def _release(self, viewer: Viewer) -> None:
        viewer.release()
        self._catch_up(viewer)


def _at(opening: Opening, sent: int) -> Cursor:
    """Return where a viewer stands that was sent so many of the missed events."""
    seq = opening.missed[sent - 1].seq
    assert seq is not None, "durable messages have a seq"
    return Cursor.of([Position(opening.position.epoch, seq)])


def _reason(reason: str | None) -> str:
    return (reason or "unknown").replace(" ", "_")


def _listed(pipeline_id: str | list[str] | None) -> list[str]:
    if pipeline_id is None:
        return []
    return [pipeline_id] if isinstance(pipeline_id, str) else pipeline_id


def _no_pipeline(pipeline_id: str) -> RagliveError:
    return RagliveError(f"There is no pipeline {pipeline_id}.", code=ErrorCode.NOT_FOUND)
