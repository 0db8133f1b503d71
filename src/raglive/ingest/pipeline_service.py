"""A pipeline process: worker, heartbeat, and the watcher if this process holds its lease."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import structlog

from raglive.bus.bus import Bus
from raglive.ingest.heartbeat import BEAT_SECONDS, HeartbeatSender
from raglive.ingest.lease_owner import dead_owners
from raglive.ingest.metrics import PipelineMetrics
from raglive.ingest.pipeline_health import PipelineHealth
from raglive.ingest.worker import Worker
from raglive.sources.source import CheckResult, Watcher
from raglive.store.errors import DATABASE_ERRORS, retry_transient
from raglive.store.log.event_log import PipelineRemoved
from raglive.store.registry.pipelines import PipelineRecord
from raglive.store.registry.processes import PipelineProcess
from raglive_contract.errors import ErrorCode, RagliveError
from raglive_contract.states import OfflineReason

__all__ = ["PipelineService"]

log = structlog.get_logger()

WATCH_LEASE_SECONDS = 15.0  # renewed with each heartbeat
ONLINE_TIMEOUT_SECONDS = 30.0
OFFLINE_TIMEOUT_SECONDS = 3.0  # short, because the database may have stopped for good


class PipelineService:
    """Runs a pipeline in this process: until cancelled, or once over the present files."""

    def __init__(
        self,
        record: PipelineRecord,
        watcher: Watcher,
        worker: Worker,
        bus: Bus,
        metrics: PipelineMetrics,
        *,
        owner: str,
        check_interval_seconds: float,
        extraction_sandbox: Mapping[str, list[str]],
    ) -> None:
        self._record = record
        self._watcher = watcher
        self._worker = worker
        self.metrics = metrics
        metrics.observe_active_files(lambda: worker.active)
        self._owner = owner
        self._check_interval = check_interval_seconds
        self._checked: CheckResult | None = None
        self._process = PipelineProcess(record.database, record.key, owner)
        self._heartbeat = HeartbeatSender(
            record,
            self._process,
            watcher,
            worker,
            bus,
            check_interval_seconds=check_interval_seconds,
        )
        self.health = PipelineHealth(record, watcher, worker, self._heartbeat, extraction_sandbox)

    async def run(self) -> None:
        """Watch and work until cancelled, and publish `pipeline:online` and `pipeline:offline`.

        Raises `PipelineRemoved`.
        """
        try:
            async with self._online(), asyncio.TaskGroup() as tasks:
                tasks.create_task(self._heartbeat.run(), name="heartbeat")
                tasks.create_task(self._worker.run(), name="worker")
                tasks.create_task(self._watch(), name="watch")
        except ExceptionGroup as errors:
            if removed := errors.subgroup(PipelineRemoved):
                raise removed.exceptions[0] from None
            raise

    async def run_once(self) -> None:
        """Check the source, process every file that is due, and return.

        Raises `RagliveError` when the database, or any part of the source, is unavailable, or when
        files are left for another run.
        """
        async with self._online():
            beat = asyncio.create_task(self._heartbeat.run(), name="heartbeat")
            try:
                checked = await self._watcher.check()
                await self._worker.drain()
            finally:
                beat.cancel()
            if checked.problem is not None:
                raise checked.problem
        self._checked = checked

    async def require_complete(self) -> None:
        """Raise what a completed `run_once` leaves to an operator, which another run does not do.

        That is `deletions_held`, or else `files_failed`.
        """
        if self._checked is None:
            return
        if held := self._checked.held:
            raise RagliveError(
                f"{held} missing file{'s are' if held > 1 else ' is'} not deleted from the index "
                "without approval. `raglive status` says why; if they are meant to be gone, run "
                "`raglive pipeline approve`.",
                code=ErrorCode.DELETIONS_HELD,
            )
        if failed := await self._worker.count_failed():
            raise RagliveError(
                f"{failed} file{'s' if failed > 1 else ''} failed. `raglive status` says why; "
                "`raglive retry` tries again.",
                code=ErrorCode.FILES_FAILED,
            )

    @asynccontextmanager
    async def _online(self) -> AsyncIterator[None]:
        await retry_transient(
            self._announce_online,
            within_seconds=ONLINE_TIMEOUT_SECONDS,
            what="publishing pipeline:online",
        )
        reason: OfflineReason = "error"
        try:
            yield
            reason = "normal_shutdown"
        except asyncio.CancelledError:
            reason = "normal_shutdown"
            raise
        finally:
            await self._go_offline(reason)

    async def _announce_online(self) -> None:
        if not await self._has_companions():
            await self._record.announce_online(self._check_interval, self._watcher.location)

    async def _has_companions(self) -> bool:
        """Whether other processes of the pipeline live, so that it is online without this one."""
        others = await self._process.others()
        return bool(set(others) - set(dead_owners(others)))

    async def _go_offline(self, reason: OfflineReason) -> None:
        async def announce() -> None:
            await self._process.leave()
            if not await self._has_companions():
                await self._record.announce_offline(reason)
            await self._record.release_watch(self._owner)

        try:
            async with asyncio.timeout(OFFLINE_TIMEOUT_SECONDS):
                await retry_transient(
                    announce,
                    within_seconds=OFFLINE_TIMEOUT_SECONDS,
                    what="publishing pipeline:offline",
                )
        except (RagliveError, TimeoutError):
            log.warning("pipeline_offline_not_published")

    async def _watch(self) -> None:
        """Run the watcher while this process holds the watch lease."""
        watching: asyncio.Task[None] | None = None
        try:
            while True:
                holds = await self._holds_watch(holding=watching is not None)
                if holds and watching is None:
                    log.info("watching", location=self._watcher.location)
                    watching = asyncio.create_task(self._watcher.run(), name="watcher")
                elif watching is not None and not holds:
                    log.warning("watch_lease_lost")
                    await _cancel(watching)
                    watching = None
                if watching is None:
                    await asyncio.sleep(BEAT_SECONDS)
                elif (await asyncio.wait({watching}, timeout=BEAT_SECONDS))[0]:
                    await watching  # raises the error that ended it
                    raise RuntimeError("the watcher returned")
        finally:
            if watching is not None:
                await _cancel(watching)

    async def _holds_watch(self, *, holding: bool) -> bool:
        try:
            present = await self._record.watcher()
            dead = dead_owners([present] if present else [])
            return await self._record.acquire_watch(self._owner, WATCH_LEASE_SECONDS, dead)
        except DATABASE_ERRORS as error:
            log.warning("watch_lease_not_renewed", error=type(error).__name__)
            return holding


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
