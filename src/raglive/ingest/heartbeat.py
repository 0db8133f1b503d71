"""The heartbeat of a pipeline process: stored in the database, and sent to viewers.

Of several processes of one pipeline, the one that watches speaks for all of them.
"""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

import psutil
import structlog

from raglive.bus.bus import Bus
from raglive.ingest.worker import Worker
from raglive.sources.source import Watcher
from raglive.store.errors import STORE_ERRORS
from raglive.store.log.event_log import PipelineRemoved
from raglive.store.log.new_events import new_event_id
from raglive.store.registry.pipelines import HeartbeatResult, PipelineRecord
from raglive.store.registry.processes import PipelineProcess
from raglive_contract.model import now, rfc3339
from raglive_contract.wire import WireHeartbeat

__all__ = ["BEAT_SECONDS", "HeartbeatSender"]

log = structlog.get_logger()

BEAT_SECONDS = 5.0
LATE_AFTER_BEATS = 3
STATE_POLL_SECONDS = 0.1  # a check that begins or ends is sent at once, before the next beat


class HeartbeatSender:
    """Sends a heartbeat every few seconds, and whenever a full check begins or ends."""

    def __init__(
        self,
        record: PipelineRecord,
        process: PipelineProcess,
        watcher: Watcher,
        worker: Worker,
        bus: Bus,
        *,
        check_interval_seconds: float,
    ) -> None:
        self._record = record
        self._process = process
        self._watcher = watcher
        self._worker = worker
        self._bus = bus
        self._check_interval = check_interval_seconds
        self._started = time.monotonic()
        self.last_beat: datetime | None = None

    @property
    def uptime_seconds(self) -> float:
        """Seconds since the pipeline was created in this process."""
        return round(time.monotonic() - self._started, 3)

    @property
    def is_late(self) -> bool:
        """Whether several heartbeats are missing. A paused pipeline still sends them."""
        last = self.last_beat
        if last is None:
            return True
        return (datetime.now(UTC) - last).total_seconds() > LATE_AFTER_BEATS * BEAT_SECONDS

    async def run(self) -> None:
        """Send heartbeats until cancelled; one that fails is logged.

        Raises `PipelineRemoved`.
        """
        sent: object = None
        sent_at = float("-inf")
        while True:
            await asyncio.sleep(STATE_POLL_SECONDS)
            tried_at = time.monotonic()
            checks = (self._watcher.is_checking, self._watcher.last_check)
            if checks == sent and tried_at - sent_at < BEAT_SECONDS:
                continue
            sent, sent_at = checks, tried_at
            try:
                await self._beat()
            except PipelineRemoved:
                raise
            except STORE_ERRORS as error:
                log.warning("heartbeat_failed", error=type(error).__name__)

    async def _beat(self) -> None:
        if await self._process.record():
            self.last_beat = datetime.now(UTC)
            return
        memory = psutil.Process().memory_info().rss
        uptime = self.uptime_seconds
        beat = await self._record.heartbeat(
            uptime_seconds=uptime,
            memory_bytes=memory,
            is_checking=self._watcher.is_checking,
            last_check=self._watcher.last_check,
            next_check=self._watcher.next_check,
        )
        self.last_beat = datetime.now(UTC)
        if beat.status == "offline":  # declared offline while the database was unavailable
            await self._record.announce_online(self._check_interval, self._watcher.location)
        await self._bus.send([self._event(beat, uptime, memory)])

    def _event(self, beat: HeartbeatResult, uptime: float, memory: int) -> WireHeartbeat:
        event = WireHeartbeat(
            id=new_event_id(),
            timestamp=now(),
            type="heartbeat",
            pipeline_id=self._record.pipeline_id,
            pipeline_type=self._record.pipeline_type,
            status="alive",
            uptime=uptime,
            memory_usage=memory,
            active_files=self._worker.active,
            head_seq=beat.head_seq,
            digest=beat.digest.hex(),
            is_checking=self._watcher.is_checking,
        )
        if self._watcher.last_check is not None:
            event["last_check_time"] = rfc3339(self._watcher.last_check)
        if self._watcher.next_check is not None:
            event["next_check_time"] = rfc3339(self._watcher.next_check)
        return event
