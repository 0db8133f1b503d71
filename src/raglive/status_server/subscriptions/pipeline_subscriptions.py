"""Subscribing to the pipelines of a namespace: rights, snapshot, replay, then live events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence

import orjson
import structlog

from raglive.status_server.metrics import StatusMetrics
from raglive.status_server.sessions.registry import SessionRegistry
from raglive.status_server.subscriptions.channel import Recovery
from raglive.status_server.subscriptions.hub import Hub
from raglive.status_server.subscriptions.rooms import Rooms, Subscriber
from raglive.store.errors import STORE_ERRORS
from raglive.store.log.event_log import Head
from raglive_contract.cursor import Cursor, Position
from raglive_contract.errors import ErrorCode, RagliveError
from raglive_contract.permissions import Grant
from raglive_contract.redaction import Redaction
from raglive_contract.socket import Subscribe
from raglive_contract.wire import WirePipelineStatus, WireSubscribedPipeline

__all__ = ["PipelineSubscriptions", "named_pipelines"]

log = structlog.get_logger()

RETRY_SECONDS = 1.0
BATCH = 32  # pipelines


class PipelineSubscriptions:
    """Puts subscribers into rooms; rights are checked in the step that joins.

    The namespace has the pipelines of one type, or with None those of every type.
    """

    def __init__(
        self,
        namespace: str,
        pipeline_type: str | None,
        *,
        hub: Hub,
        rooms: Rooms,
        registry: SessionRegistry,
        redaction: Redaction,
        slow_seconds: float,
        metrics: StatusMetrics,
    ) -> None:
        self._type = pipeline_type
        self._namespace = namespace
        self._hub = hub
        self._rooms = rooms
        self._registry = registry
        self._redaction = redaction
        self._slow_seconds = slow_seconds
        self._metrics = metrics

    async def send_snapshots(self, subscriber: Subscriber, grant: Grant) -> None:
        """Send a new connection the status of every pipeline that it may see."""
        try:
            await self._hub.refresh()
            async for pipeline_id in self._in_batches(self._visible(grant)):
                await self._wait_for_space(subscriber)
                snapshot = await self._hub.snapshot(pipeline_id)
                if not self._rooms.has(subscriber):
                    return
                if pipeline_id not in subscriber.pipelines:  # else it is older than its events
                    self._send_status(subscriber, snapshot)
        except STORE_ERRORS as error:
            log.warning("snapshot_not_sent", connection=subscriber.sid, error=type(error).__name__)

    async def show_new_log(self, pipeline_id: str, displaced: Sequence[Subscriber]) -> None:
        """Subscribe those who follow all, and those of the log that the new one replaces."""
        for subscriber in self._rooms.everyone():
            if subscriber.namespace != self._namespace or pipeline_id in subscriber.pipelines:
                continue
            if subscriber.follows_all or subscriber in displaced:
                await self.restart(subscriber, pipeline_id)

    async def restart(self, subscriber: Subscriber, pipeline_id: str) -> None:
        """Subscribe from a fresh snapshot, and retry while the database is away."""

        def join(recovery: Recovery) -> None:
            if self._may_see(subscriber, pipeline_id):
                self._send_status(subscriber, recovery.snapshot)
                self._rooms.join(subscriber, pipeline_id, recovery.missed, recovery.summary)

        while self._may_see(subscriber, pipeline_id):
            try:
                await self._wait_for_space(subscriber)
                await self._hub.open(pipeline_id, None, join)
            except STORE_ERRORS as error:
                log.warning(
                    "pipeline_not_subscribed", pipeline=pipeline_id, error=type(error).__name__
                )
                if isinstance(error, RagliveError) and not error.retryable:
                    return
                await asyncio.sleep(RETRY_SECONDS)
            else:
                return

    async def requested(self, grant: Grant, request: Subscribe) -> list[str]:
        """Resolve the pipelines of a request.

        Raises `not_found` for one that does not exist or is out of reach, `invalid_request` for
        another namespace's type, and `forbidden` for all pipelines by a role that views none.
        """
        self.check_type(request.pipeline_type)
        if request.pipeline_id is None:
            grant.check_viewing_role()
            await self._hub.refresh()
            return self._visible(grant)
        named = list(dict.fromkeys(named_pipelines(request.pipeline_id)))
        for name in named:
            head = await self._hub.find(name) if grant.may_view(name) else None
            if head is None or not self.covers(head):
                raise _no_pipeline(name)
        return named

    def check_type(self, pipeline_type: str | None) -> None:
        """Raise `invalid_request` for the type of another namespace."""
        if None not in {pipeline_type, self._type} and pipeline_type != self._type:
            raise RagliveError(
                f"This is the namespace {self._namespace}: pipelines of type "
                f"{pipeline_type} are in /{pipeline_type}.",
                code=ErrorCode.INVALID_REQUEST,
            )

    async def subscribe(
        self, subscriber: Subscriber, pipeline_ids: Sequence[str], cursor: Cursor | None
    ) -> list[WireSubscribedPipeline]:
        """Subscribe to pipelines one after the other; raises what `_subscribe` does."""
        return [
            await self._subscribe(subscriber, pipeline_id, cursor, pipeline_ids)
            async for pipeline_id in self._in_batches(pipeline_ids)
        ]

    async def _in_batches(self, pipeline_ids: Sequence[str]) -> AsyncIterator[str]:
        """Yield the pipelines after reading their snapshots, many at once."""
        for start in range(0, len(pipeline_ids), BATCH):
            batch = pipeline_ids[start : start + BATCH]
            if len(pipeline_ids) > 1:
                await self._hub.read_snapshots(batch)
            for pipeline_id in batch:
                yield pipeline_id

    async def _subscribe(
        self, subscriber: Subscriber, pipeline_id: str, cursor: Cursor | None, among: Sequence[str]
    ) -> WireSubscribedPipeline:
        """Replay what the cursor missed, join, and return the pipeline's part of the answer.

        A replay that is larger than the queue is sent in parts. Raises `too_slow` for a client
        that does not read, and `not_found` when the right was lost meanwhile.
        """
        written = 0

        def join(recovery: Recovery) -> None:
            nonlocal written
            if not self._may_see(subscriber, pipeline_id):
                raise _no_pipeline(pipeline_id)
            subscriber.hold(pipeline_id)
            written = self._rooms.join(subscriber, pipeline_id, recovery.missed, recovery.summary)

        replayed = 0
        while True:
            await self._wait_for_space(subscriber)
            recovery = await self._hub.open(pipeline_id, cursor, join, among=among)
            replayed += written
            if written == len(recovery.missed):
                break
            if written:
                cursor = _cursor_after(recovery, written)
        if cursor is not None:
            self._metrics.resumes.labels(recovery.source).inc()
        return {
            "pipeline_id": pipeline_id,
            "snapshot": self._shown(subscriber, recovery.snapshot),
            "cursor": str(recovery.position),
            "digest": recovery.digest.hex(),
            "recovered": recovery.recovered,
            "replayed": replayed,
        }

    def covers(self, head: Head) -> bool:
        """Check that a pipeline is of the namespace's type."""
        return self._type is None or head.pipeline_type == self._type

    def _may_see(self, subscriber: Subscriber, pipeline_id: str) -> bool:
        """Check that a subscriber is connected and has the right at this moment."""
        identity = self._registry.identity(subscriber.sid)
        is_connected = self._rooms.has(subscriber)
        return is_connected and identity is not None and identity.grant.may_view(pipeline_id)

    def _send_status(self, subscriber: Subscriber, snapshot: WirePipelineStatus) -> None:
        shown = self._shown(subscriber, snapshot)
        self._rooms.send(subscriber, "pipeline:status", orjson.dumps(shown))

    def _shown(self, subscriber: Subscriber, snapshot: WirePipelineStatus) -> WirePipelineStatus:
        return self._redaction.status(snapshot) if subscriber.redact else snapshot

    def _visible(self, grant: Grant) -> list[str]:
        return [
            head.pipeline_id
            for head in self._hub.heads()
            if self.covers(head) and grant.may_view(head.pipeline_id)
        ]

    async def _wait_for_space(self, subscriber: Subscriber) -> None:
        """Wait until the client has read what it was sent. Raises `too_slow`."""
        if not await subscriber.queue.drained(self._slow_seconds):
            raise RagliveError(
                "Earlier messages have not been read.", code=ErrorCode.TOO_SLOW, retryable=True
            )


def _cursor_after(recovery: Recovery, sent: int) -> Cursor:
    """Make the cursor after the first `sent` missed events."""
    seq = recovery.missed[sent - 1].seq
    assert seq is not None, "durable messages have a seq"
    return Cursor.of([Position(recovery.position.epoch, seq)])


def named_pipelines(pipeline_id: str | list[str] | None) -> list[str]:
    """List the pipelines that a request names; none when it names none."""
    if pipeline_id is None:
        return []
    return [pipeline_id] if isinstance(pipeline_id, str) else pipeline_id


def _no_pipeline(pipeline_id: str) -> RagliveError:
    return RagliveError(f"There is no pipeline {pipeline_id}.", code=ErrorCode.NOT_FOUND)
