"""The room `admin:monitoring`: the server's state every second, and audit events as they occur."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from raglive.status_server.audit import Audit
from raglive.status_server.metrics import StatusMetrics
from raglive.status_server.subscriptions.rooms import Rooms, Subscriber
from raglive.store.access.audit_log import entries_after, last_entry
from raglive.store.errors import STORE_ERRORS
from raglive.store.pool import Database
from raglive_contract.monitoring import AuditEvent, MonitoringStatus

__all__ = ["MonitoringRoom"]

log = structlog.get_logger()

INTERVAL_SECONDS = 1.0


class MonitoringRoom:
    """The room of administrators. Nothing is encoded while it is empty."""

    def __init__(
        self,
        rooms: Rooms,
        metrics: StatusMetrics,
        database: Database,
        *,
        transports: Callable[[], int],
        lag_seconds: Callable[[], float],
    ) -> None:
        self._rooms = rooms
        self._metrics = metrics
        self._database = database
        self._transports = transports
        self._lag_seconds = lag_seconds
        self._started = time.monotonic()
        self._members: dict[str, Subscriber] = {}
        self._last_counts = (0.0, 0.0, self._started)

    def join(self, subscriber: Subscriber) -> None:
        """Add an administrator; the caller has checked the right."""
        self._members[subscriber.sid] = subscriber

    def leave(self, sid: str) -> None:
        """Remove a connection; does nothing for one that is not in the room."""
        self._members.pop(sid, None)

    def watches(self, sid: str) -> bool:
        """Check whether a connection is in the room."""
        return sid in self._members

    def publish(self, event: AuditEvent) -> None:
        """Send an audit event to the room."""
        if self._members:
            self._send("audit", event.model_dump_json().encode())

    async def run(self, audit: Audit) -> None:
        """Send the state, and audit operators' actions from the database, until cancelled."""
        last_key: int | None = None
        while True:
            await asyncio.sleep(INTERVAL_SECONDS)
            status = self._status(audit)
            if self._members:
                self._send("monitoring:status", status.model_dump_json().encode())
            try:
                last_key = await self._relay_actions(audit, last_key)
            except STORE_ERRORS as error:
                log.debug("operator_actions_not_read", error=type(error).__name__)

    async def _relay_actions(self, audit: Audit, last_key: int | None) -> int:
        if last_key is None:
            return await last_entry(self._database)
        for act in await entries_after(self._database, last_key):
            audit.record_operator_action(
                act["actor"], act["action"], act["acted_at"], act["pipeline_id"], act["detail"]
            )
            last_key = act["act_key"]
        return last_key

    def _status(self, audit: Audit) -> MonitoringStatus:
        subscribers = self._rooms.everyone()
        requests, events, now = self._metrics.requested, self._metrics.handed_out, time.monotonic()
        requests_before, events_before, before = self._last_counts
        self._last_counts = (requests, events, now)
        return MonitoringStatus(
            timestamp=datetime.now(UTC),
            uptime=round(now - self._started, 3),
            lag=round(min(self._lag_seconds(), now), 3),
            connections=len(subscribers),
            transports=self._transports(),
            by_namespace=dict(Counter(one.namespace for one in subscribers)),
            subscriptions=sum(len(one.pipelines) for one in subscribers),
            requests_per_second=round((requests - requests_before) / (now - before), 3),
            events_per_second=round((events - events_before) / (now - before), 3),
            refusals=dict(audit.refusals),
        )

    def _send(self, event: str, body: bytes) -> None:
        for subscriber in list(self._members.values()):
            if self._rooms.has(subscriber):
                self._rooms.send(subscriber, event, body)
            else:
                self.leave(subscriber.sid)
