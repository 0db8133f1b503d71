"""Publishing: events from producers are validated, authorized, and committed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from collections.abc import Set as AbstractSet
from contextlib import AbstractAsyncContextManager
from itertools import chain
from typing import cast

import asyncpg
import structlog
from pydantic import ValidationError

from raglive.bus.postgres import PostgresBus
from raglive.http_api.tokens import Identity
from raglive.status_server.admission import AdmissionLimits
from raglive.status_server.metrics import StatusMetrics
from raglive.status_server.quotas import ProducerQuotas
from raglive.store.access.producer_usage import PublishedToday
from raglive.store.log.event_log import Appended, external_pipeline_key, publish_events
from raglive.store.pool import Connection, Database
from raglive.store.registry.pipelines import record_heartbeat
from raglive_contract.cursor import Cursor, parse_cursor
from raglive_contract.errors import ErrorCode, RagliveError
from raglive_contract.events import CONFLATED_TYPES, Submission, SubmittedEvent
from raglive_contract.model import now
from raglive_contract.permissions import Grant
from raglive_contract.socket import PublishAck
from raglive_contract.wire import WireHeartbeat, WireLiveEvent, WireSubmittedEvent

__all__ = ["EventPublisher"]

log = structlog.get_logger()

LOGGED_IDS = 10  # of a batch


class EventPublisher:
    """Publishes batches from HTTP and Socket.IO.

    `known` returns the ids of the pipelines that exist.
    """

    def __init__(
        self,
        database: Database,
        bus: PostgresBus,
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

    async def publish(self, identity: Identity, data: object, size_bytes: int) -> PublishAck:
        """Commit a batch in one transaction, send its conflated events, and acknowledge it.

        Raises `invalid_event` with the first fault, `forbidden` for a pipeline that the grant does
        not cover, `pipeline_managed` for one that raglive runs, `rate_limited` and `limit_reached`.
        """
        by_pipeline = _by_pipeline(identity.grant, _read(data))
        new = self._check_limits(by_pipeline)
        events = sum(map(len, by_pipeline.values()))
        await self._quotas.take(identity.subject, PublishedToday(events, size_bytes, new))
        live: list[WireLiveEvent] = []
        async with self._transaction(by_pipeline) as connection:
            appended = [
                await _append(connection, pipeline_id, by_pipeline[pipeline_id], live)
                for pipeline_id in sorted(by_pipeline)
            ]
        if live:
            await self._bus.send(live)
        accepted = sum(one.accepted for one in appended) + len(live)
        duplicates = sum(one.duplicates for one in appended)
        self._metrics.accepted.inc(accepted)
        self._metrics.duplicates.inc(duplicates)
        cursors = [parse_cursor(one.cursor) for one in appended]
        cursor = str(Cursor.of(p for cursor in cursors for p in cursor.positions.values()))
        log.info(
            "events_published",
            pipelines=sorted(by_pipeline),
            accepted=accepted,
            duplicates=duplicates,
            cursor=cursor,
            events=[event["id"] for events in by_pipeline.values() for event in events][
                :LOGGED_IDS
            ],
        )
        return PublishAck(cursor=cursor, accepted=accepted, duplicates=duplicates)

    def _transaction(
        self, by_pipeline: dict[str, list[WireSubmittedEvent]]
    ) -> AbstractAsyncContextManager[Connection]:
        """Open a transaction, except for a single statement, which is atomic alone."""
        if len(by_pipeline) > 1 or any(map(_conflated, chain(*by_pipeline.values()))):
            return self._database.transaction()
        return self._database.connection()

    def _check_limits(self, by_pipeline: dict[str, list[WireSubmittedEvent]]) -> int:
        """Check rates and the number of pipelines; return how many pipelines are new."""
        for pipeline_id, events in by_pipeline.items():
            self._limits.publish(pipeline_id, len(events))
        known = self._known()
        new = len(by_pipeline.keys() - known)
        if new:
            self._limits.check_new_pipeline(len(known))
        return new


def _read(data: object) -> list[WireSubmittedEvent]:
    """Validate a submission, and return the wire form of its events."""
    try:
        submission = Submission.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])[:200] or "the batch"
        raise RagliveError(f"{place}: {first['msg']}", code=ErrorCode.INVALID_EVENT) from None
    try:
        events: list[WireSubmittedEvent] = submission.wire()["events"]
    except (ValueError, OverflowError):
        return [_wire(place, event) for place, event in enumerate(submission.events)]
    return events


def _wire(place: int, event: SubmittedEvent) -> WireSubmittedEvent:
    try:
        return cast("WireSubmittedEvent", event.wire())  # generated from this model
    except (ValueError, OverflowError):
        raise RagliveError(
            f"events.{place}: a time is out of range, or it is nested too deep to be stored.",
            code=ErrorCode.INVALID_EVENT,
        ) from None


def _by_pipeline(
    grant: Grant, events: list[WireSubmittedEvent]
) -> dict[str, list[WireSubmittedEvent]]:
    by_pipeline: dict[str, list[WireSubmittedEvent]] = defaultdict(list)
    for event in events:
        by_pipeline[event["pipeline_id"]].append(event)
    for pipeline_id in by_pipeline:
        if not grant.may_publish(pipeline_id):
            raise RagliveError(
                f"The token may not publish to {pipeline_id}.", code=ErrorCode.FORBIDDEN
            )
    return by_pipeline


async def _append(
    connection: Connection,
    pipeline_id: str,
    events: list[WireSubmittedEvent],
    live: list[WireLiveEvent],
) -> Appended:
    """Append a pipeline's durable events, and add its completed conflated ones to `live`."""
    named = next((event["pipeline_type"] for event in events if "pipeline_type" in event), None)
    conflated = [event for event in events if _conflated(event)]
    durable = [event for event in events if not _conflated(event)] if conflated else events
    try:
        appended = await publish_events(connection, pipeline_id, named, durable)
    except asyncpg.ProgramLimitExceededError as error:
        raise RagliveError(
            f"An event of {pipeline_id} cannot be stored: {error.args[0]}.",
            code=ErrorCode.INVALID_EVENT,
        ) from None
    if conflated:
        key, pipeline_type = await external_pipeline_key(connection, pipeline_id, named)
        live += [
            await _complete(connection, key, pipeline_type, event, appended) for event in conflated
        ]
    return appended


def _conflated(event: WireSubmittedEvent) -> bool:
    return event["type"] in CONFLATED_TYPES


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
