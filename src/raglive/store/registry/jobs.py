"""Files as jobs: claimed under a lease, and ended in the transaction that stores the result."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from raglive.store.index.vector_space import ChosenSpace
from raglive.store.log.event_log import append_events
from raglive.store.log.new_events import new_event_id, status_update
from raglive.store.pool import Connection
from raglive.store.registry.pipelines import PipelineRecord, mention
from raglive.store.sql import load_queries
from raglive_contract.error_advice import OUTAGES
from raglive_contract.errors import ErrorCode, RagliveError
from raglive_contract.model import now, rfc3339
from raglive_contract.states import Stage
from raglive_contract.wire import (
    NewEvent,
    NewFileCompleted,
    NewFileFailed,
    NewFileProcessing,
    NewFileSkipped,
    WireFileError,
    WireFileResults,
    WireProcessingFile,
    WireSkipReason,
    WireStageDuration,
)

__all__ = [
    "CompletedEnding",
    "Ending",
    "FailedEnding",
    "Job",
    "Jobs",
    "LeaseLost",
    "SkippedEnding",
]

_QUERIES = load_queries(__name__)

_DESCRIBED = ("file_id", "name", "folder", "url", "mime_type", "size_bytes", "started_at")


class LeaseLost(RagliveError):
    """The file was deleted or another worker holds it, so the attempt's result is discarded."""

    code = ErrorCode.LEASE_LOST


@dataclass(frozen=True, slots=True)
class Job:
    """An attempt at a file, held under a lease."""

    file_key: int
    file_id: str
    location: str
    name: str
    folder: str
    url: str | None
    mime_type: str | None
    size_bytes: int | None
    source: dict[str, Any]
    attempt: int
    tries: int
    started_at: datetime
    content_hash: bytes | None
    generation: int
    losses: int  # of the last `tries` attempts, those whose worker was lost
    failures: int  # of the last `tries` attempts, those that failed by the file's own fault

    @property
    def read_as(self) -> str:
        """The name from which the format is guessed, where it differs from the file's own."""
        return str(self.source.get("read_as", self.name))


@dataclass(slots=True)
class CompletedEnding:
    """The attempt completed; `stages` may be set until the event is published."""

    results: WireFileResults
    stages: list[WireStageDuration]


@dataclass(frozen=True, slots=True)
class FailedEnding:
    """The attempt failed; without `next_attempt_at` in the error, for good."""

    error: WireFileError
    stages: list[WireStageDuration]


@dataclass(frozen=True, slots=True)
class SkippedEnding:
    """The file holds nothing to index."""

    reason: WireSkipReason
    stages: list[WireStageDuration]


Ending = CompletedEnding | FailedEnding | SkippedEnding


class Jobs:
    """The jobs of one pipeline, for one worker process."""

    def __init__(self, record: PipelineRecord, owner: str, lease_seconds: float) -> None:
        self._record = record
        self._owner = owner
        self._lease_seconds = lease_seconds

    async def claim(self, limit: int) -> list[Job]:
        """Claim up to `limit` due files, start an attempt at each, publish `file:processing`."""
        async with self._record.database.transaction() as connection:
            rows = await connection.fetch(
                _QUERIES["claim"],
                self._record.key,
                self._owner,
                limit,
                self._lease_seconds,
                list(OUTAGES),
            )
            jobs = [Job(**dict(row)) for row in rows]
            if jobs:
                events = [_processing(job) for job in jobs]
                await append_events(connection, self._record.key, events)
            return jobs

    async def next_sizes(self, limit: int) -> list[int]:
        """Return the sizes, in bytes, of the first `limit` files that are due, in their order."""
        rows = await self._record.database.fetch(_QUERIES["next_sizes"], self._record.key, limit)
        return [row["size_bytes"] for row in rows]

    async def next_due_seconds(self) -> float | None:
        """Return the seconds until the next queued file is due; None if none is queued."""
        query = _QUERIES["next_due"]
        due: float | None = await self._record.database.fetchval(query, self._record.key)
        return due

    async def are_done(self, max_tries: int, within_seconds: float) -> bool:
        """Return whether no file is processing, due, or due within `within_seconds`.

        A file that was tried `max_tries` times and waits does not count. A file of a lost worker
        counts as processing.
        """
        query = _QUERIES["are_done"]
        args = (self._record.key, max_tries, within_seconds)
        return bool(await self._record.database.fetchval(query, *args))

    async def count_queued(self) -> tuple[int, str]:
        """Return how many files are queued, and the error code of one of them."""
        [row] = await self._record.database.fetch(_QUERIES["count_queued"], self._record.key)
        return row["files"], row["code"] or "unavailable"

    async def count_failed(self) -> int:
        """Return how many files failed, of those that raglive reads itself."""
        found = await self._record.database.fetchval(_QUERIES["count_failed"], self._record.key)
        return int(found)

    async def renew_leases(self, progress: Sequence[tuple[int, str, float]]) -> set[int]:
        """Renew leases and record `(file_key, stage, progress)`; return the keys still held."""
        rows = await self._record.database.fetch(
            _QUERIES["renew_leases"],
            self._owner,
            [key for key, _, _ in progress],
            [stage for _, stage, _ in progress],
            [share for _, _, share in progress],
            self._lease_seconds,
        )
        return {row["file_key"] for row in rows}

    def ending(self, job: Job, ending: Ending) -> AbstractAsyncContextManager[Connection]:
        """Open the transaction that ends an attempt; its last statement publishes the event.

        Raises `LeaseLost` if the attempt no longer belongs to this worker.
        """
        return self._end(job, ending)

    @asynccontextmanager
    async def endings(
        self, endings: Sequence[tuple[Job, Ending]], space: ChosenSpace | None = None
    ) -> AsyncIterator[tuple[Connection, list[Job]]]:
        """Open the transaction that ends several attempts; yield those that are still held.

        Its last statement publishes their events. `space` is locked before the files: reindexing
        may wait for a transaction that holds files, but not the other way round.
        """
        async with self._record.database.transaction() as connection:
            if space is not None:
                await space.hold(connection)
            rows = await connection.fetch(
                _QUERIES["lock_leases"],
                [job.file_key for job, _ in endings],
                self._owner,
                [job.attempt for job, _ in endings],
            )
            found = {(row["file_key"], row["attempt"]): row for row in rows}
            held = [one for one in endings if (one[0].file_key, one[0].attempt) in found]
            yield connection, [job for job, _ in held]
            if held:
                events = [
                    _ended(found[job.file_key, job.attempt], job, ending) for job, ending in held
                ]
                await append_events(connection, self._record.key, events)

    @asynccontextmanager
    async def _end(self, job: Job, ending: Ending) -> AsyncIterator[Connection]:
        async with self.endings([(job, ending)]) as (connection, held):
            if not held:
                raise LeaseLost(f"This worker no longer holds attempt {job.attempt} at {job.name}.")
            yield connection

    async def requeue(
        self, job: Job, delay_seconds: float, error: WireFileError | None = None
    ) -> None:
        """Requeue a file without an outcome, due after a delay, and cancel the attempt.

        `error` is the reason in its wire form; it is stored with the attempt.
        """
        async with self._record.database.transaction() as connection:
            rows = await connection.fetch(
                _QUERIES["release_own"], job.file_key, self._owner, job.attempt, delay_seconds
            )
            if rows:
                await connection.execute(
                    _QUERIES["cancel_attempt"], job.file_key, job.attempt, error
                )
                await self._publish_requeued(connection, rows)

    async def lease_owners(self) -> list[str]:
        """Return all owners of leases on the pipeline's files."""
        rows = await self._record.database.fetch(_QUERIES["lease_owners"], self._record.key)
        return [row["lease_owner"] for row in rows]

    async def release_lost(self, dead_owners: Sequence[str]) -> int:
        """Requeue files whose lease expired or whose owner is dead; return how many."""
        async with self._record.database.transaction() as connection:
            rows = await connection.fetch(
                _QUERIES["release_lost"], self._record.key, list(dead_owners)
            )
            if rows:
                await self._publish_requeued(connection, rows, reason=ErrorCode.WORKER_LOST)
            return len(rows)

    async def mark_stuck(self, after_seconds: float) -> int:
        """Mark files without progress for so long as stuck, publish it once, return how many."""
        async with self._record.database.transaction() as connection:
            rows = await connection.fetch(_QUERIES["mark_stuck"], self._record.key, after_seconds)
            if rows:
                event = status_update({"files_stuck": mention(rows, "stage", "since")})
                await append_events(connection, self._record.key, [event])
            return len(rows)

    async def _publish_requeued(
        self, connection: Connection, rows: Sequence[asyncpg.Record], **why: str
    ) -> None:
        event = status_update({"files_requeued": {**mention(rows), **why}})
        await append_events(connection, self._record.key, [event])


def _processing(job: Job) -> NewFileProcessing:
    return NewFileProcessing(
        id=new_event_id(),
        timestamp=now(),
        type="file:processing",
        file=_description({name: getattr(job, name) for name in _DESCRIBED}),
        processing_stage=Stage.EXTRACTION,
        attempt=job.attempt,
    )


def _description(row: asyncpg.Record | Mapping[str, Any]) -> WireProcessingFile:
    file = WireProcessingFile(
        id=row["file_id"],
        name=row["name"],
        folder=row["folder"],
        started_at=rfc3339(row["started_at"]),
    )
    if row["url"] is not None:
        file["url"] = row["url"]
    if row["mime_type"] is not None:
        file["mime_type"] = row["mime_type"]
    if row["size_bytes"] is not None:
        file["size"] = row["size_bytes"]
    return file


def _ended(row: asyncpg.Record, job: Job, ending: Ending) -> NewEvent:
    file, ended_at = _description(row), now()
    if isinstance(ending, CompletedEnding):
        return NewFileCompleted(
            id=new_event_id(),
            timestamp=ended_at,
            type="file:completed",
            file={**file, "completed_at": ended_at},
            attempt=job.attempt,
            results=ending.results,
            success=True,
            stages=ending.stages,
        )
    if isinstance(ending, FailedEnding):
        return NewFileFailed(
            id=new_event_id(),
            timestamp=ended_at,
            type="file:failed",
            file={**file, "failed_at": ended_at},
            attempt=job.attempt,
            error=ending.error,
            success=False,
            stages=ending.stages,
        )
    return NewFileSkipped(
        id=new_event_id(),
        timestamp=ended_at,
        type="file:skipped",
        file={**file, "skipped_at": ended_at},
        attempt=job.attempt,
        reason=ending.reason,
        stages=ending.stages,
    )
