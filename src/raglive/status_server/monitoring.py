"""The room `admin:monitoring`: how the server fares each second, and the audit as it happens."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime

import structlog

from raglive.status_server.audit import Audit
from raglive.status_server.metrics import StatusMetrics
from raglive.status_server.subscriptions.rooms import Audience, Viewer
from raglive.store.access.audit_log import entries_after, last_entry
from raglive.store.errors import STORE_ERRORS
from raglive.store.pool import Database
from raglive_contract.monitoring import AuditEvent, MonitoringStatus

__all__ = ["Monitoring"]

log = structlog.get_logger()

EVERY_SECONDS = 1.0


class Monitoring:
    """Who looks on, and what they are told; nothing is prepared for an empty room."""

    def __init__(
        self,
        audience: Audience,
        metrics: StatusMetrics,
        database: Database,
        *,
        transports: Callable[[], int],
        lag_seconds: Callable[[], float],
    ) -> None:
        self._audience = audience
        self._metrics = metrics
        self._database = database
        self._transports = transports
        self._lag_seconds = lag_seconds
        self._started = time.monotonic()
        self._watching: dict[str, Viewer] = {}
        self._counted = (0.0, 0.0, self._started)

    def join(self, viewer: Viewer) -> None:
        """Tell a viewer from now on."""
        self._watching[viewer.sid] = viewer

    def leave(self, sid: str) -> None:
        """Tell a viewer nothing more."""
        self._watching.pop(sid, None)

    def watches(self, sid: str) -> bool:
        """Say whether a viewer is in the room."""
        return sid in self._watching

    def show(self, event: AuditEvent) -> None:
        """Tell everyone in the room what happened."""
        if self._watching:
            self._send("audit", event.model_dump_json().encode())

    async def run(self, audit: Audit) -> None:
        """Tell how the server fares, and what operators did elsewhere, until cancelled."""
        reached: int | None = None
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            status = self._status(audit)
            if self._watching:
                self._send("monitoring:status", status.model_dump_json().encode())
            try:
                reached = await self._relay(audit, reached)
            except STORE_ERRORS as error:
                log.debug("acts_not_read", error=type(error).__name__)

    async def _relay(self, audit: Audit, reached: int | None) -> int:
        if reached is None:
            return await last_entry(self._database)
        for act in await entries_after(self._database, reached):
            audit.acted(
                act["actor"], act["action"], act["acted_at"], act["pipeline_id"], act["detail"]
            )
            reached = act["act_key"]
        return reached

    def _status(self, audit: Audit) -> MonitoringStatus:
        viewers = self._audience.everyone()
        requests, events, now = self._metrics.requested, self._metrics.handed_out, time.monotonic()
        requests_before, events_before, before = self._counted
        self._counted = (requests, events, now)
        return MonitoringStatus(
            timestamp=datetime.now(UTC),
            uptime=round(now - self._started, 3),
            lag=round(min(self._lag_seconds(), now), 3),
            connections=len(viewers),
            transports=self._transports(),
            by_namespace=dict(Counter(viewer.namespace for viewer in viewers)),
            subscriptions=sum(len(viewer.pipelines) for viewer in viewers),
            requests_per_second=round((requests - requests_before) / (now - before), 3),
            events_per_second=round((events - events_before) / (now - before), 3),
            refusals=dict(audit.refusals),
        )

    def _send(self, event: str, body: bytes) -> None:
        for viewer in list(self._watching.values()):
            if self._audience.find(viewer.sid) is viewer:
                self._audience.send(viewer, event, body)
            else:
                self.leave(viewer.sid)
