"""What the viewers of one pipeline type are shown, from exactly its place, and only if they may."""

from __future__ import annotations

import asyncio
from typing import Any

import orjson
import structlog

from raglive.status_server.metrics import StatusMetrics
from raglive.status_server.sessions.registry import Door
from raglive.status_server.subscriptions.channel import Recovery
from raglive.status_server.subscriptions.hub import Hub
from raglive.status_server.subscriptions.rooms import Audience, Viewer
from raglive.store.errors import DATABASE_ERRORS
from raglive_contract.cursor import Cursor, Position
from raglive_contract.errors import ErrorCode, RagliveError
from raglive_contract.permissions import Grant
from raglive_contract.redaction import Redaction
from raglive_contract.socket import Subscribe

__all__ = ["Showing", "listed"]

log = structlog.get_logger()

RETRY_SECONDS = 1.0


class Showing:
    """Brings viewers and pipelines together; nobody is in a room who may not see it."""

    def __init__(
        self,
        pipeline_type: str,
        *,
        hub: Hub,
        audience: Audience,
        door: Door,
        redaction: Redaction,
        slow_seconds: float,
        metrics: StatusMetrics,
    ) -> None:
        self._type = pipeline_type
        self._namespace = f"/{pipeline_type}"
        self._hub = hub
        self._audience = audience
        self._door = door
        self._redaction = redaction
        self._slow_seconds = slow_seconds
        self._metrics = metrics

    async def greet(self, viewer: Viewer, grant: Grant) -> None:
        """Send a new viewer the status of every pipeline that it may see."""
        try:
            await self._hub.refresh()
            for pipeline_id in self._visible(grant):
                await self._room(viewer)
                snapshot = await self._hub.snapshot(pipeline_id)
                if self._audience.find(viewer.sid) is not viewer:
                    return
                if pipeline_id not in viewer.pipelines:  # or it would be older than their events
                    self._send_status(viewer, snapshot)
        except (RagliveError, *DATABASE_ERRORS) as error:  # type: ignore[misc]  # a flat tuple
            log.warning("status_not_sent", connection=viewer.sid, error=type(error).__name__)

    async def show_new(self, pipeline_id: str, displaced: list[Viewer]) -> None:
        """Show a log that begins to those who watched its earlier life, or follow all."""
        for viewer in self._audience.everyone():
            if viewer.namespace != self._namespace or pipeline_id in viewer.pipelines:
                continue
            if viewer.follows_all or viewer in displaced:
                await self.show(viewer, pipeline_id)

    async def show(self, viewer: Viewer, pipeline_id: str) -> None:
        """Send a pipeline's status to a viewer, and what follows."""

        def join(recovery: Recovery) -> None:
            if self._may_see(viewer, pipeline_id):
                self._send_status(viewer, recovery.snapshot)
                self._audience.join(viewer, pipeline_id, recovery.missed, recovery.summary)

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

    async def wanted(self, grant: Grant, request: Subscribe) -> list[str]:
        """Return the pipelines that are asked for; raise `not_found` for one out of reach."""
        self.check_type(request.pipeline_type)
        if request.pipeline_id is None:
            await self._hub.refresh()
            return self._visible(grant)
        named = list(dict.fromkeys(listed(request.pipeline_id)))
        for name in named:
            head = await self._hub.find(name) if grant.may_view(name) else None
            if head is None or head.pipeline_type != self._type:
                raise _no_pipeline(name)
        return named

    def check_type(self, pipeline_type: str | None) -> None:
        """Raise `invalid_request` when another namespace is meant."""
        if pipeline_type not in {None, self._type}:
            raise RagliveError(
                f"This is the namespace {self._namespace}: pipelines of type "
                f"{pipeline_type} are in /{pipeline_type}.",
                code=ErrorCode.INVALID_REQUEST,
            )

    async def join(
        self, viewer: Viewer, pipeline_id: str, cursor: Cursor | None, wanted: list[str]
    ) -> dict[str, Any]:
        """Let a viewer in where its cursor is; return what the answer says of the pipeline."""
        written = 0

        def join(recovery: Recovery) -> None:
            nonlocal written
            if not self._may_see(viewer, pipeline_id):  # no longer
                raise _no_pipeline(pipeline_id)
            viewer.hold(pipeline_id)
            written = self._audience.join(viewer, pipeline_id, recovery.missed, recovery.summary)

        replayed = 0
        while True:
            await self._room(viewer)
            recovery = await self._hub.open(pipeline_id, cursor, join, among=wanted)
            replayed += written
            if written == len(recovery.missed):
                break
            if written:
                cursor = _at(recovery, written)
        if cursor is not None:
            self._metrics.resumes.labels(recovery.source).inc()
        return {
            "pipeline_id": pipeline_id,
            "snapshot": self._redaction.status(recovery.snapshot)
            if viewer.redact
            else recovery.snapshot,
            "cursor": str(recovery.position),
            "digest": recovery.digest.hex(),
            "recovered": recovery.recovered,
            "replayed": replayed,
        }

    async def _room(self, viewer: Viewer) -> None:
        """Wait until a viewer has read what it was sent; raise `too_slow` when it does not."""
        if not await viewer.outbox.room(self._slow_seconds):
            raise RagliveError(
                "What was sent before has not been read.", code=ErrorCode.TOO_SLOW, retryable=True
            )


def _at(recovery: Recovery, sent: int) -> Cursor:
    """Return where a viewer stands that was sent so many of the missed events."""
    seq = recovery.missed[sent - 1].seq
    assert seq is not None, "durable messages have a seq"
    return Cursor.of([Position(recovery.position.epoch, seq)])


def listed(pipeline_id: str | list[str] | None) -> list[str]:
    """Return the pipelines that a request names, none when it names none."""
    if pipeline_id is None:
        return []
    return [pipeline_id] if isinstance(pipeline_id, str) else pipeline_id


def _no_pipeline(pipeline_id: str) -> RagliveError:
    return RagliveError(f"There is no pipeline {pipeline_id}.", code=ErrorCode.NOT_FOUND)
