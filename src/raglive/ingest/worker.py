"""The worker: claims files that are due, keeps its leases, and reports how far it is."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from itertools import accumulate
from typing import Any

import structlog

from raglive.bus.postgres import PostgresBus
from raglive.ingest.attempt import LONGEST_RETRY_SECONDS, Attempts
from raglive.ingest.lease_owner import dead_among
from raglive.ingest.pausing import Gate
from raglive.ingest.progress import AttemptProgress
from raglive.store.errors import DATABASE_ERRORS
from raglive.store.registry.jobs import Job, Jobs
from raglive.store.registry.pipelines import PauseReason, PipelineRecord
from raglive_contract.errors import RagliveError
from raglive_contract.file_errors import what_to_do

__all__ = ["Worker"]

log = structlog.get_logger()

POLL_SECONDS = 1.0
PROGRESS_SECONDS = 0.1
ROW_SECONDS = 1.0
RECOVERY_SECONDS = 5.0
DRAIN_PATIENCE_SECONDS = 60.0  # with nothing but a pause
GIVE_BACK_TIMEOUT_SECONDS = 3.0
# What small files wait for is one another's commits: the more at once, the fewer those are.
SMALL_FILES_PER_SLOT = 16
SMALL_BYTES = 4 << 20  # of all in progress


class Worker:
    """Up to `slots` attempts at once; gives back on cancellation what it holds."""

    def __init__(
        self,
        record: PipelineRecord,
        jobs: Jobs,
        attempts: Attempts,
        gate: Gate,
        bus: PostgresBus,
        *,
        slots: int,
        stuck_seconds: float,
        wake: asyncio.Event,
    ) -> None:
        self._record = record
        self._jobs = jobs
        self._attempts = attempts
        self._gate = gate
        self._bus = bus
        self._slots = slots
        self._stuck_seconds = stuck_seconds
        self._running: dict[int, tuple[AttemptProgress, asyncio.Task[None]]] = {}
        self._wake = wake

    @property
    def active(self) -> int:
        """Return how many files are in progress."""
        return len(self._running)

    @property
    def paused(self) -> PauseReason | None:
        """Return why no file is taken up; None while they are."""
        return self._gate.paused

    def embedding_health(self) -> dict[str, Any]:
        """Return who embeds, and how that goes."""
        return self._gate.embedding_health()

    async def run(self) -> None:
        """Work until cancelled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._gate.run(), name="worker-gate")
                tasks.create_task(self._recover(), name="worker-recover")
                tasks.create_task(self._report(), name="worker-report")
                tasks.create_task(self._keep(), name="worker-keep")
                tasks.create_task(self._claim(), name="worker-claim")
        finally:
            await self._give_back_all()

    async def drain(self) -> None:
        """Work until nothing is in progress, and nothing queued but what has been tried enough.

        Raises the reason of a pause that lasts, or of files that are left.
        """
        work = asyncio.create_task(self.run())
        try:
            while not work.done():
                idle = not self._running and self._gate.has_looked
                tries = self._attempts.max_tries
                if idle and await self._jobs.are_done(tries, LONGEST_RETRY_SECONDS):
                    await self._require_end()
                    return
                self._require_progress()
                await asyncio.wait([work], timeout=0.1)
            work.result()
        finally:
            work.cancel()
            with suppress(asyncio.CancelledError):
                await work

    async def _require_end(self) -> None:
        files, code = await self._jobs.count_queued()
        if files:
            raise RagliveError(
                f"Left for another run: {files} file{'' if files == 1 else 's'}, for {code}. "
                f"{what_to_do(code)}",
                code=code,
                retryable=True,
            )

    def _require_progress(self) -> None:
        paused_for = asyncio.get_running_loop().time() - self._gate.paused_at
        patience = 0 if self._gate.is_refused else DRAIN_PATIENCE_SECONDS
        if self._gate.paused and not self._running and paused_for > patience:
            raise RagliveError(
                f"{self._gate.paused.why} {self._gate.paused.what_to_do}",
                code=self._gate.paused.code,
                retryable=True,
            )

    async def _claim(self) -> None:
        while True:
            self._wake.clear()
            allowed = self._allowed()
            free = allowed - len(self._running)
            pause = POLL_SECONDS
            try:
                # Half of the slots at a time: a claim costs the same for one file as for many.
                due = self._gate.is_open and free >= (allowed + 1) // 2
                if due and not await self._claim_up_to(free):
                    pause = await self._pause_seconds()
            except DATABASE_ERRORS as error:
                log.warning("claim_failed", error=type(error).__name__)
                pause = POLL_SECONDS
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._wake.wait()

    def _allowed(self) -> int:
        """Return how many files there may be in progress: more while all of them are small."""
        return (
            self._slots * SMALL_FILES_PER_SLOT if self._held_bytes() < SMALL_BYTES else self._slots
        )

    def _held_bytes(self) -> int:
        return sum(progress.job.size_bytes or 0 for progress, _ in self._running.values())

    async def _claim_up_to(self, limit: int) -> int:
        sure = self._slots - len(self._running)
        if limit > sure:
            left = SMALL_BYTES - self._held_bytes()
            sizes = await self._jobs.next_sizes(limit)
            limit = max(sure, sum(size <= left for size in accumulate(sizes)))
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

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(PROGRESS_SECONDS)
            moved = [p for p, _ in self._running.values() if p.changed]
            events = [p.event(self._record.pipeline_id, self._record.pipeline_type) for p in moved]
            for progress in moved:
                progress.changed = False
            if events:
                with suppress(RagliveError):  # the rows will say it a second later
                    await self._bus.send(events)

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(ROW_SECONDS)
            held = list(self._running.values())
            if not held:
                continue
            try:
                kept = await self._jobs.renew_leases(
                    [(p.job.file_key, str(p.stage), p.progress) for p, _ in held]
                )
            except DATABASE_ERRORS as error:
                log.warning("leases_not_renewed", error=type(error).__name__)
                continue
            for progress, task in held:
                if progress.job.file_key not in kept and not task.done():
                    log.info("attempt_taken_away", file=progress.job.name)
                    task.cancel()

    async def _recover(self) -> None:
        while True:
            try:
                dead = dead_among(await self._jobs.lease_owners())
                if released := await self._jobs.release_lost(dead):
                    log.warning("lost_files_requeued", files=released, workers=dead)
                    self._wake.set()
                if stuck := await self._jobs.mark_stuck(self._stuck_seconds):
                    log.warning("files_stuck", files=stuck)
            except DATABASE_ERRORS as error:
                log.warning("recovery_failed", error=type(error).__name__)
            await asyncio.sleep(RECOVERY_SECONDS)

    async def _give_back_all(self) -> None:
        held = list(self._running.values())
        for _, task in held:
            task.cancel()
        await asyncio.gather(*(task for _, task in held), return_exceptions=True)
        with suppress(*DATABASE_ERRORS):
            async with asyncio.timeout(GIVE_BACK_TIMEOUT_SECONDS):
                for progress, _ in held:
                    await self._jobs.give_back(progress.job, 0)
