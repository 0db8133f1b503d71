"""The worker: claims due files, runs their attempts, renews leases and reports progress."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from itertools import accumulate
from typing import Any

import structlog

from raglive.bus.bus import Bus
from raglive.ingest.attempt import AttemptRunner
from raglive.ingest.lease_owner import dead_owners
from raglive.ingest.pause_monitor import PauseMonitor
from raglive.ingest.progress import AttemptProgress
from raglive.ingest.retry_policy import LONGEST_RETRY_SECONDS
from raglive.store.errors import DATABASE_ERRORS
from raglive.store.registry.jobs import Job, Jobs
from raglive.store.registry.pipelines import PauseReason, PipelineRecord
from raglive_contract.error_advice import what_to_do
from raglive_contract.errors import RagliveError, code_of

__all__ = ["Worker"]

log = structlog.get_logger()

POLL_SECONDS = 1.0
PROGRESS_SECONDS = 0.1  # between progress messages on the bus
LEASE_RENEWAL_SECONDS = 1.0  # also stores the progress for viewers that poll
RECOVERY_SECONDS = 5.0  # between searches for stuck files and expired leases
MAX_PAUSE_IN_SINGLE_MODE_SECONDS = 60.0
RELEASE_TIMEOUT_SECONDS = 3.0
# Small files mostly wait for commits. With more of them in progress, fewer commits are needed.
SMALL_FILES_PER_SLOT = 16
SMALL_FILES_BYTES = 4 << 20  # of all files in progress together


class Worker:
    """Runs up to `slots` attempts at once. On cancellation it releases the files that it holds."""

    def __init__(
        self,
        record: PipelineRecord,
        jobs: Jobs,
        attempts: AttemptRunner,
        pauses: PauseMonitor,
        bus: Bus,
        *,
        slots: int,
        stuck_seconds: float,
        wake: asyncio.Event,
    ) -> None:
        self._record = record
        self._jobs = jobs
        self._attempts = attempts
        self._pauses = pauses
        self._bus = bus
        self._slots = slots
        self._stuck_seconds = stuck_seconds
        self._running: dict[int, tuple[AttemptProgress, asyncio.Task[None]]] = {}
        self._wake = wake

    @property
    def active(self) -> int:
        """Number of files in progress."""
        return len(self._running)

    @property
    def paused(self) -> PauseReason | None:
        """The reason why no file is claimed, None while files are."""
        return self._pauses.paused

    def embedding_health(self) -> dict[str, Any]:
        """Return provider, model and the state of the circuit breaker."""
        return self._pauses.embedding_health()

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._pauses.run(), name="worker-pauses")
                tasks.create_task(self._recover(), name="worker-recover")
                tasks.create_task(self._send_progress(), name="worker-progress")
                tasks.create_task(self._renew_leases(), name="worker-leases")
                tasks.create_task(self._claim(), name="worker-claim")
        finally:
            await self._release_all()

    async def drain(self) -> None:
        """Work until no file is in progress and none is due that still has attempts left.

        Raises the reason of a lasting pause, or of files that remain queued.
        """
        work = asyncio.create_task(self.run())
        try:
            while not work.done():
                idle = not self._running and self._pauses.has_checked
                tries = self._attempts.max_tries
                if idle and await self._jobs.are_done(tries, LONGEST_RETRY_SECONDS):
                    await self._require_nothing_queued()
                    return
                self._require_short_pause()
                await asyncio.wait([work], timeout=0.1)
            work.result()
        finally:
            work.cancel()
            with suppress(asyncio.CancelledError):
                await work

    async def count_failed(self) -> int:
        """Return how many files failed and are not retried."""
        return await self._jobs.count_failed()

    async def _require_nothing_queued(self) -> None:
        files, code = await self._jobs.count_queued()
        if files:
            raise RagliveError(
                f"Left for another run: {files} file{'' if files == 1 else 's'} ({code}). "
                f"{what_to_do(code, is_waiting=True)}",
                code=code_of(code),
                retryable=True,
            )

    def _require_short_pause(self) -> None:
        paused_for = asyncio.get_running_loop().time() - self._pauses.paused_at
        limit = 0 if self._pauses.is_refused else MAX_PAUSE_IN_SINGLE_MODE_SECONDS
        if self._pauses.paused and not self._running and paused_for > limit:
            raise RagliveError(
                f"{self._pauses.paused.why} {self._pauses.paused.what_to_do}",
                code=self._pauses.paused.code,
                retryable=True,
            )

    async def _claim(self) -> None:
        while True:
            self._wake.clear()
            allowed = self._allowed()
            free = allowed - len(self._running)
            pause = POLL_SECONDS
            try:
                # At least half of the slots, as a claim costs the same for one file as for many.
                due = self._pauses.may_claim and free >= (allowed + 1) // 2
                if due and not await self._claim_up_to(free):
                    pause = await self._pause_seconds()
            except DATABASE_ERRORS as error:
                log.warning("claim_failed", error=type(error).__name__)
                pause = POLL_SECONDS
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()

    def _allowed(self) -> int:
        """Return the limit of files in progress, which is higher while all of them are small."""
        are_small = self._held_bytes() < SMALL_FILES_BYTES
        return self._slots * SMALL_FILES_PER_SLOT if are_small else self._slots

    def _held_bytes(self) -> int:
        return sum(progress.job.size_bytes or 0 for progress, _ in self._running.values())

    async def _claim_up_to(self, limit: int) -> int:
        guaranteed = self._slots - len(self._running)
        if limit > guaranteed:
            left = SMALL_FILES_BYTES - self._held_bytes()
            sizes = await self._jobs.next_sizes(limit)
            limit = max(guaranteed, sum(size <= left for size in accumulate(sizes)))
        claimed = await self._jobs.claim(limit) if limit > 0 else []
        for job in claimed:
            self._start(job)
        return len(claimed)

    async def _pause_seconds(self) -> float:
        due = await self._jobs.next_due_seconds()
        return POLL_SECONDS if due is None else min(POLL_SECONDS, max(0.01, due))

    def _start(self, job: Job) -> None:
        progress = AttemptProgress(job)
        task = asyncio.create_task(self._attempts.run(progress), name=f"attempt-{job.file_key}")
        self._running[job.file_key] = (progress, task)
        task.add_done_callback(lambda _: self._finish(job))

    def _finish(self, job: Job) -> None:
        running = self._running.get(job.file_key)
        if running is not None and running[0].job is job:
            del self._running[job.file_key]
        self._wake.set()

    async def _send_progress(self) -> None:
        while True:
            await asyncio.sleep(PROGRESS_SECONDS)
            moved = [p for p, _ in self._running.values() if p.changed]
            events = [p.event(self._record.pipeline_id, self._record.pipeline_type) for p in moved]
            for progress in moved:
                progress.changed = False
            if events:
                with suppress(RagliveError):  # the stored progress follows within a second
                    await self._bus.send(events)

    async def _renew_leases(self) -> None:
        while True:
            await asyncio.sleep(LEASE_RENEWAL_SECONDS)
            held = list(self._running.values())
            if not held:
                continue
            try:
                renewed = await self._jobs.renew_leases(
                    [(p.job.file_key, str(p.stage), p.progress) for p, _ in held]
                )
            except DATABASE_ERRORS as error:
                log.warning("leases_not_renewed", error=type(error).__name__)
                continue
            for progress, task in held:
                if progress.job.file_key not in renewed and not task.done():
                    log.info("attempt_superseded", file=progress.job.name)
                    task.cancel()

    async def _recover(self) -> None:
        while True:
            try:
                dead = dead_owners(await self._jobs.lease_owners())
                if released := await self._jobs.release_lost(dead):
                    log.warning("lost_files_requeued", files=released, workers=dead)
                    self._wake.set()
                if stuck := await self._jobs.mark_stuck(self._stuck_seconds):
                    log.warning("files_stuck", files=stuck)
            except DATABASE_ERRORS as error:
                log.warning("recovery_failed", error=type(error).__name__)
            await asyncio.sleep(RECOVERY_SECONDS)

    async def _release_all(self) -> None:
        held = list(self._running.values())
        for _, task in held:
            task.cancel()
        await asyncio.gather(*(task for _, task in held), return_exceptions=True)
        with suppress(*DATABASE_ERRORS):
            async with asyncio.timeout(RELEASE_TIMEOUT_SECONDS):
                for progress, _ in held:
                    await self._jobs.requeue(progress.job, 0)
