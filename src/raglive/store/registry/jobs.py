"""A file's row as a job: claimed under a lease, ended in the transaction that stores its result."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import asyncpg

from raglive.store.index.vector_space import ChosenSpace
from raglive.store.log.event_log import append_events
from raglive.store.pool import Connection
from raglive.store.registry.pipelines import PipelineRecord, new_event
from raglive.store.sql import load_queries
from raglive_contract.errors import RagliveError
from raglive_contract.file_errors import OUTAGES
from raglive_contract.model import rfc3339

__all__ = ["Ending", "Job", "Jobs", "LeaseLost"]

_QUERIES = load_queries("registry/files")

MENTIONED = 50  # files that an event names; the others are counted


class LeaseLost(RagliveError):
    """The file was deleted, or another worker has taken it over: this attempt's result is void."""

    code = "lease_lost"


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
    losses: int  # attempts of this round that ended with their worker
    failures: int  # attempts of this round that failed through the file's own fault

    @property
    def read_as(self) -> str:
        """Return the name that says what the content is, where the file's own does not."""
        return str(self.source.get("read_as", self.name))


@dataclass(frozen=True, slots=True)
class Ending:
    """How an attempt ends: the event's type, its fields, and the word for its time."""

    event_type: str
    at: str
    fields: dict[str, Any]


class Jobs:
    """The files of one pipeline, as one worker process takes them."""

    def __init__(self, record: PipelineRecord, owner: str, lease_seconds: float) -> None:
        self._record = record
        self._owner = owner
        self._lease_seconds = lease_seconds

    async def claim(self, limit: int) -> list[Job]:
        """Start attempts at up to `limit` files that are due, and publish `file:processing`."""
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
        """Return in how many seconds the next file is due; None when none is queued."""
        query = _QUERIES["next_due"]
        due: float | None = await self._record.database.fetchval(query, self._record.key)
        return due

    async def are_done(self, max_tries: int, within_seconds: float) -> bool:
        """Say whether no file is held, be it by a worker that was lost, and none soon to be tried.

        What has been tried `max_tries` times is only tried if it is due.
        """
        query = _QUERIES["are_done"]
        args = (self._record.key, max_tries, within_seconds)
        return bool(await self._record.database.fetchval(query, *args))

    async def left_waiting(self) -> tuple[int, str]:
        """Return how many files are queued all the same, and the code of why."""
        [row] = await self._record.database.fetch(_QUERIES["left_waiting"], self._record.key)
        return row["files"], row["code"] or "unavailable"

    async def keep(self, progress: Sequence[tuple[int, str, float]]) -> set[int]:
        """Renew leases and note `(file_key, stage, progress)`; return the keys still held."""
        rows = await self._record.database.fetch(
            _QUERIES["keep_leases"],
            self._owner,
            [key for key, _, _ in progress],
            [stage for _, stage, _ in progress],
            [share for _, _, share in progress],
            self._lease_seconds,
        )
        return {row["file_key"] for row in rows}

    def ending(self, job: Job, ending: Ending) -> AbstractAsyncContextManager[Connection]:
        """Open the transaction that ends an attempt; its last statement publishes the event.

        Raises `LeaseLost` when the attempt is no longer this worker's.
        """
        return self._end(job, ending)

    @asynccontextmanager
    async def endings(
        self, endings: Sequence[tuple[Job, Ending]], space: ChosenSpace | None = None
    ) -> AsyncIterator[tuple[Connection, list[Job]]]:
        """Open the transaction that ends several attempts; yield those still this worker's.

        Its last statement publishes their events. The index is kept in `space` until then: who
        changes it may wait for a transaction that holds files, and none for who changes it.
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
                raise LeaseLost(f"Attempt {job.attempt} at {job.name} was taken away.")
            yield connection

    async def give_back(
        self, job: Job, delay_seconds: float, error: dict[str, Any] | None = None
    ) -> None:
        """Put a file back without an outcome: it was still being written, or the worker stops.

        `error` is why, in its wire form; it is kept with the attempt.
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
        """Return every worker that holds a file of the pipeline."""
        rows = await self._record.database.fetch(_QUERIES["lease_owners"], self._record.key)
        return [row["lease_owner"] for row in rows]

    async def release_lost(self, dead_owners: Sequence[str]) -> int:
        """Queue again what expired leases and dead workers held; return how many files."""
        async with self._record.database.transaction() as connection:
            rows = await connection.fetch(
                _QUERIES["release_lost"], self._record.key, list(dead_owners)
            )
            if rows:
                await self._publish_requeued(connection, rows, reason="worker_lost")
            return len(rows)

    async def mark_stuck(self, after_seconds: float) -> int:
        """Say once of files that they have made no progress for so long; return of how many."""
        async with self._record.database.transaction() as connection:
            rows = await connection.fetch(_QUERIES["mark_stuck"], self._record.key, after_seconds)
            if rows:
                files = [
                    {"id": row["file_id"], **{k: row[k] for k in ("name", "stage", "since")}}
                    for row in rows
                ]
                changes = {"files_stuck": {"count": len(files), "files": files[:MENTIONED]}}
                event = new_event("status:update", changes=changes)
                await append_events(connection, self._record.key, [event])
            return len(rows)

    async def _publish_requeued(
        self, connection: Connection, rows: Sequence[asyncpg.Record], **why: str
    ) -> None:
        files = [{"id": row["file_id"], "name": row["name"]} for row in rows]
        requeued = {"count": len(files), "files": files[:MENTIONED], **why}
        event = new_event("status:update", changes={"files_requeued": requeued})
        await append_events(connection, self._record.key, [event])


def _processing(job: Job) -> dict[str, Any]:
    file = {
        "id": job.file_id,
        "name": job.name,
        "folder": job.folder,
        "url": job.url,
        "mime_type": job.mime_type,
        "size": job.size_bytes,
        "started_at": rfc3339(job.started_at),
    }
    return new_event(
        "file:processing",
        file={key: value for key, value in file.items() if value is not None},
        processing_stage="extraction",
        attempt=job.attempt,
    )


def _described(row: asyncpg.Record) -> dict[str, Any]:
    file = {
        "id": row["file_id"],
        "name": row["name"],
        "folder": row["folder"],
        "url": row["url"],
        "mime_type": row["mime_type"],
        "size": row["size_bytes"],
        "started_at": rfc3339(row["started_at"]),
    }
    return {key: value for key, value in file.items() if value is not None}


def _ended(row: asyncpg.Record, job: Job, ending: Ending) -> dict[str, Any]:
    return new_event(
        ending.event_type,
        file=_described(row) | {ending.at: rfc3339(datetime.now(UTC))},
        attempt=job.attempt,
        **ending.fields,
    )
