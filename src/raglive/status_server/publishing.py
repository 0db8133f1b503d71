"""Publishing: events from producers are validated, authorized, and committed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from contextlib import AbstractAsyncContextManager

import asyncpg
import structlog

from raglive.bus.bus import Bus
from raglive.http_api.tokens import Identity
from raglive.status_server.admission import AdmissionLimits
from raglive.status_server.batch_reader import BatchReader
from raglive.status_server.batches import LOGGED_IDS, PipelineEvents
from raglive.status_server.metrics import StatusMetrics
from raglive.status_server.quotas import ProducerQuotas
from raglive.store.access.producer_usage import PublishedToday
from raglive.store.log.event_log import Appended, external_pipeline_key, publish_events
from raglive.store.pool import Connection, Database
from raglive.store.registry.pipelines import record_heartbeat
from raglive_contract.cursor import Cursor, parse_cursor
from raglive_contract.errors import ErrorCode, RagliveError
from raglive_contract.model import now
from raglive_contract.permissions import Grant
from raglive_contract.socket import PublishAck
from raglive_contract.wire import WireHeartbeat, WireLiveEvent, WireSubmittedEvent

__all__ = ["EventPublisher"]

log = structlog.get_logger()


class EventPublisher:
    """Publishes batches from HTTP and Socket.IO.

    `known` returns the ids of the pipelines that exist.
    """

    def __init__(
        self,
        database: Database,
        bus: Bus,
        metrics: StatusMetrics,
        *,
        limits: AdmissionLimits,
        quotas: ProducerQuotas,
        known: Callable[[], AbstractSet[str]],
    ) -> None:
        self._database = database
        self._bus = bus
        self._metrics = metrics
        self._limits = limits
        self._quotas = quotas
        self._known = known
        self._reader = BatchReader()

    async def close(self) -> None:
        """Release what validates large batches."""
        await self._reader.close()

    async def publish(self, identity: Identity, body: bytes) -> PublishAck:
        """Commit a batch in one transaction, send its conflated events, and acknowledge it.

        `body` is JSON text. Raises `invalid_request` or `invalid_event` with the first fault,
        `forbidden` for a pipeline that the grant does not cover, `pipeline_managed` for one that
        raglive runs, `rate_limited`, `limit_reached` and `unavailable`.
        """
        batch = await self._reader.read(body)
        _check_grant(identity.grant, batch)
        new = self._check_limits(batch)
        events = sum(pipeline.count for pipeline in batch)
        await self._quotas.take(identity.subject, PublishedToday(events, len(body), new))
        live: list[WireLiveEvent] = []
        async with self._transaction(batch) as connection:
            appended = [await _append(connection, pipeline, live) for pipeline in batch]
        if live:
            await self._bus.send(live)
        ack = _acknowledged(appended, len(live))
        self._metrics.accepted.inc(ack.accepted)
        self._metrics.duplicates.inc(ack.duplicates)
        log.info(
            "events_published",
            pipelines=[pipeline.pipeline_id for pipeline in batch],
            accepted=ack.accepted,
            duplicates=ack.duplicates,
            cursor=ack.cursor,
            events=[id_ for pipeline in batch for id_ in pipeline.first_ids][:LOGGED_IDS],
        )
        return ack

    def _transaction(
        self, batch: Sequence[PipelineEvents]
    ) -> AbstractAsyncContextManager[Connection]:
        """Open a transaction, except for a single statement, which is atomic alone."""
        if len(batch) > 1 or batch[0].conflated:
            return self._database.transaction()
        return self._database.connection()

    def _check_limits(self, batch: Sequence[PipelineEvents]) -> int:
        """Check rates and the number of pipelines; return how many pipelines are new."""
        for pipeline in batch:
            self._limits.publish(pipeline.pipeline_id, pipeline.count)
        known = self._known()
        new = len({pipeline.pipeline_id for pipeline in batch} - known)
        if new:
            self._limits.check_new_pipeline(len(known))
        return new


def _acknowledged(appended: Sequence[Appended], live: int) -> PublishAck:
    cursors = [parse_cursor(one.cursor) for one in appended]
    return PublishAck(
        cursor=str(Cursor.of(p for cursor in cursors for p in cursor.positions.values())),
        accepted=sum(one.accepted for one in appended) + live,
        duplicates=sum(one.duplicates for one in appended),
    )


def _check_grant(grant: Grant, batch: Sequence[PipelineEvents]) -> None:
    for pipeline in batch:
        if not grant.may_publish(pipeline.pipeline_id):
            raise RagliveError(
                f"The token may not publish to {pipeline.pipeline_id}.", code=ErrorCode.FORBIDDEN
            )


async def _append(
    connection: Connection, pipeline: PipelineEvents, live: list[WireLiveEvent]
) -> Appended:
    """Append a pipeline's durable events, and add its completed conflated ones to `live`."""
    pipeline_id, named = pipeline.pipeline_id, pipeline.pipeline_type
    try:
        appended = await publish_events(connection, pipeline_id, named, pipeline.durable)
    except asyncpg.ProgramLimitExceededError as error:
        raise RagliveError(
            f"An event of {pipeline_id} cannot be stored: {error.args[0]}.",
            code=ErrorCode.INVALID_EVENT,
        ) from None
    if pipeline.conflated:
        key, pipeline_type = await external_pipeline_key(connection, pipeline_id, named)
        live += [
            await _complete(connection, key, pipeline_type, event, appended)
            for event in pipeline.conflated
        ]
    return appended


async def _complete(
    connection: Connection,
    key: int,
    pipeline_type: str,
    event: WireSubmittedEvent,
    head: Appended,
) -> WireLiveEvent:
    timestamp = event["timestamp"] if "timestamp" in event else now()
    if event["type"] == "file:progress":
        return {**event, "pipeline_type": pipeline_type, "timestamp": timestamp}
    assert event["type"] == "heartbeat", "these two are conflated"
    await record_heartbeat(connection, key, event["uptime"], event["memory_usage"])
    return WireHeartbeat(
        id=event["id"],
        pipeline_id=event["pipeline_id"],
        pipeline_type=pipeline_type,
        timestamp=timestamp,
        type="heartbeat",
        status="alive",
        uptime=event["uptime"],
        memory_usage=event["memory_usage"],
        active_files=event["active_files"],
        head_seq=head.seq,
        digest=head.digest.hex(),
        is_checking=False,
    )
