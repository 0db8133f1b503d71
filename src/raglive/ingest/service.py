"""A pipeline at work: one watcher among all its processes, a worker in each, and a heartbeat."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import psutil
import structlog

from raglive.bus.postgres import PostgresBus
from raglive.ingest.lease_owner import dead_among
from raglive.ingest.metrics import PipelineMetrics
from raglive.ingest.worker import Worker
from raglive.sources.source import Watcher
from raglive.store.errors import DATABASE_ERRORS, STORE_ERRORS, retry_transient
from raglive.store.registry.pipelines import HeartbeatResult, PipelineRecord, new_event
from raglive_contract.errors import RagliveError
from raglive_contract.model import rfc3339
from raglive_contract.states import OfflineReason

__all__ = ["PipelineService"]

log = structlog.get_logger()

BEAT_SECONDS = 5.0
NOTICE_SECONDS = 0.1
WATCH_LEASE_SECONDS = 15.0
ANNOUNCE_PATIENCE_SECONDS = 30.0
FAREWELL_PATIENCE_SECONDS = 3.0  # the database may be gone for good


class PipelineService:
    """Runs a pipeline in this process until cancelled, or once through what is there."""

    def __init__(
        self,
        record: PipelineRecord,
        watcher: Watcher,
        worker: Worker,
        bus: PostgresBus,
        metrics: PipelineMetrics,
        *,
        owner: str,
        check_interval_seconds: float,
    ) -> None:
        self._record = record
        self._watcher = watcher
        self._worker = worker
        self._bus = bus
        self.metrics = metrics
        metrics.watch(lambda: worker.active)
        self._owner = owner
        self._check_interval = check_interval_seconds
        self._started = time.monotonic()
        self._last_beat: datetime | None = None

    async def run(self) -> None:
        """Watch and work until cancelled; tell viewers at both ends."""
        async with self._online(), asyncio.TaskGroup() as tasks:
            tasks.create_task(self._beat_on(), name="heartbeat")
            tasks.create_task(self._worker.run(), name="worker")
            tasks.create_task(self._watch(), name="watch")

    async def run_once(self) -> None:
        """Check the source, process what is due, and return.

        Raises `RagliveError` when the source, even part of it, or the database cannot be reached.
        """
        async with self._online():
            beat = asyncio.create_task(self._beat_on(), name="heartbeat")
            try:
                found = await self._watcher.check()
                await self._worker.drain()
            finally:
                beat.cancel()
            if found.problem is not None:
                raise found.problem

    @property
    def is_late(self) -> bool:
        """Say whether the heartbeat fails: a pipeline that only pauses is as it should be."""
        last = self._last_beat
        return last is None or (datetime.now(UTC) - last).total_seconds() > 3 * BEAT_SECONDS

    def health(self) -> dict[str, Any]:
        """Return what `GET /health` says."""
        last = self._last_beat
        paused = self._worker.paused
        return {
            "status": "degraded" if self.is_late or paused else "healthy",
            "pipeline_id": self._record.pipeline_id,
            "pipeline_type": self._record.pipeline_type,
            "watch_location": self._watcher.location,
            "active_files": self._worker.active,
            "paused": None if paused is None else paused.wire(),
            "embedding": self._worker.embedding_health(),
            "is_checking": self._watcher.is_checking,
            "last_heartbeat": last and rfc3339(last),
            "uptime": round(time.monotonic() - self._started, 3),
        }

    @asynccontextmanager
    async def _online(self) -> AsyncIterator[None]:
        location = self._watcher.location
        await retry_transient(
            lambda: self._record.announce_online(self._check_interval, location),
            within_seconds=ANNOUNCE_PATIENCE_SECONDS,
            what="announcing the pipeline",
        )
        reason: OfflineReason = "error"
        try:
            yield
            reason = "normal_shutdown"
        except asyncio.CancelledError:
            reason = "normal_shutdown"
            raise
        finally:
            await self._say_farewell(reason)

    async def _say_farewell(self, reason: OfflineReason) -> None:
        async def leave() -> None:
            await self._record.announce_offline(reason)
            await self._record.release_watch(self._owner)

        try:
            async with asyncio.timeout(FAREWELL_PATIENCE_SECONDS):
                await retry_transient(
                    leave, within_seconds=FAREWELL_PATIENCE_SECONDS, what="leaving"
                )
        except (RagliveError, TimeoutError):
            log.warning("left_without_farewell")

    async def _watch(self) -> None:
        """Watch the source whenever this process holds the lease to."""
        watching: asyncio.Task[None] | None = None
        try:
            while True:
                holds = await self._holds_watch(holding=watching is not None)
                if holds and watching is None:
                    log.info("watching", location=self._watcher.location)
                    watching = asyncio.create_task(self._watcher.run(), name="watcher")
                elif watching is not None and not holds:
                    log.warning("watch_taken_over")
                    await _end(watching)
                    watching = None
                if watching is None:
                    await asyncio.sleep(BEAT_SECONDS)
                elif (await asyncio.wait({watching}, timeout=BEAT_SECONDS))[0]:
                    await watching  # raises what ended it
                    raise RuntimeError("the watcher returned")
        finally:
            if watching is not None:
                await _end(watching)

    async def _holds_watch(self, *, holding: bool) -> bool:
        try:
            present = await self._record.watcher()
            dead = dead_among([present] if present else [])
            return await self._record.acquire_watch(self._owner, WATCH_LEASE_SECONDS, dead)
        except DATABASE_ERRORS as error:
            log.warning("watch_lease_not_renewed", error=type(error).__name__)
            return holding

    async def _beat_on(self) -> None:
        said: object = None
        said_at = float("-inf")
        while True:
            await asyncio.sleep(NOTICE_SECONDS)
            now = time.monotonic()
            checks = (self._watcher.is_checking, self._watcher.last_check)
            if checks == said and now - said_at < BEAT_SECONDS:
                continue
            said, said_at = checks, now
            try:
                await self._beat()
            except STORE_ERRORS as error:
                log.warning("heartbeat_failed", error=type(error).__name__)

    async def _beat(self) -> None:
        memory = psutil.Process().memory_info().rss
        uptime = round(time.monotonic() - self._started, 3)
        beat = await self._record.heartbeat(
            uptime_seconds=uptime,
            memory_bytes=memory,
            is_checking=self._watcher.is_checking,
            last_check=self._watcher.last_check,
            next_check=self._watcher.next_check,
        )
        self._last_beat = datetime.now(UTC)
        if beat.status == "offline":  # it was taken for dead while the database was away
            await self._record.announce_online(self._check_interval, self._watcher.location)
        await self._bus.send([self._heartbeat(beat, uptime, memory)])

    def _heartbeat(self, beat: HeartbeatResult, uptime: float, memory: int) -> dict[str, Any]:
        event = new_event(
            "heartbeat",
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
        for field in ("last_check", "next_check"):
            moment: datetime | None = getattr(self._watcher, field)
            if moment is not None:
                event[f"{field}_time"] = rfc3339(moment)
        return event


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
