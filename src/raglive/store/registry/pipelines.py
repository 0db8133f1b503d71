"""Pipelines: registration, heartbeats, the lease of the watcher, problems, pauses and budgets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from raglive.store.log.event_log import PipelineRemoved, append_events
from raglive.store.log.new_events import new_event_id, status_update
from raglive.store.pool import Connection, Database
from raglive.store.sql import load_queries
from raglive_contract.errors import ErrorCode, RagliveError
from raglive_contract.model import now
from raglive_contract.states import OfflineReason
from raglive_contract.wire import (
    NewPipelineOffline,
    NewPipelineOnline,
    NewStatusUpdate,
    WirePause,
    WireProblem,
)

__all__ = [
    "MENTIONED",
    "FileCounts",
    "HeartbeatResult",
    "PauseReason",
    "PipelineRecord",
    "count_files",
    "end_silent_pipelines",
    "mention",
    "record_heartbeat",
]

_QUERIES = load_queries(__name__)

Reason = WirePause | WireProblem

MENTIONED = 50  # files that an event names; the others are only counted


def mention(rows: Sequence[asyncpg.Record | Mapping[str, Any]], *more: str) -> dict[str, object]:
    """Return `{count, files}` for an event: each file's id and name, and `more` of its columns."""
    files = [
        {"id": row["file_id"], "name": row["name"], **{name: row[name] for name in more}}
        for row in rows[:MENTIONED]
    ]
    return {"count": len(rows), "files": files}


@dataclass(frozen=True, slots=True)
class HeartbeatResult:
    """The state of a pipeline at its heartbeat; `processing` counts files."""

    status: str
    head_seq: int
    digest: bytes
    processing: int


@dataclass(frozen=True, slots=True)
class PauseReason:
    """Why no file is claimed, what happens to files meanwhile, and what to do about it."""

    code: ErrorCode
    why: str
    meanwhile: str
    what_to_do: str

    def wire(self) -> dict[str, str]:
        """Return the wire form, without the time since when."""
        return {"code": self.code, "message": self._message, "what_to_do": self.what_to_do}

    def beginning_now(self) -> WirePause:
        """Return the wire form of a pause that begins now."""
        return WirePause(
            code=self.code, message=self._message, what_to_do=self.what_to_do, since=now()
        )

    @property
    def _message(self) -> str:
        return f"{self.why} {self.meanwhile}"


class PipelineRecord:
    """One pipeline in the database; every method may raise the database's errors."""

    def __init__(self, database: Database, key: int, pipeline_id: str, pipeline_type: str) -> None:
        self.database = database
        self.key = key
        self.pipeline_id = pipeline_id
        self.pipeline_type = pipeline_type

    @classmethod
    async def register(
        cls, database: Database, pipeline_id: str, pipeline_type: str
    ) -> PipelineRecord:
        """Return the pipeline of this id, created if it is new.

        Raises `conflict` while it is being removed.
        """
        try:
            async with database.transaction() as connection:
                key = await connection.fetchval(_QUERIES["register"], pipeline_id, pipeline_type)
        except asyncpg.ObjectInUseError:
            raise RagliveError(
                f"The pipeline {pipeline_id} is being removed. If the removal was interrupted, run "
                f"`raglive pipeline remove {pipeline_id}` again.",
                code=ErrorCode.CONFLICT,
                retryable=True,
            ) from None
        return cls(database, key, pipeline_id, pipeline_type)

    async def announce_online(self, check_interval: float, watch_location: str) -> None:
        """Publish `pipeline:online`; `check_interval` in seconds."""
        started_at = now()
        event = NewPipelineOnline(
            id=new_event_id(),
            timestamp=started_at,
            type="pipeline:online",
            status="online",
            started_at=started_at,
            check_interval=check_interval,
            watch_location=watch_location,
        )
        async with self.database.transaction() as connection:
            await append_events(connection, self.key, [event])

    async def announce_offline(self, reason: OfflineReason) -> None:
        """Publish `pipeline:offline`."""
        async with self.database.transaction() as connection:
            await append_events(connection, self.key, [_offline(reason)])

    async def heartbeat(
        self,
        *,
        uptime_seconds: float,
        memory_bytes: int,
        is_checking: bool,
        last_check: datetime | None,
        next_check: datetime | None,
    ) -> HeartbeatResult:
        """Record that the pipeline is alive; a `last_check` of None leaves the last one.

        Raises `PipelineRemoved`.
        """
        row = await self.database.fetchrow(
            _QUERIES["heartbeat"],
            self.key,
            uptime_seconds,
            memory_bytes,
            is_checking,
            last_check,
            next_check,
        )
        if row is None:
            raise PipelineRemoved
        return HeartbeatResult(row["status"], row["seq"], bytes(row["digest"]), row["processing"])

    async def acquire_watch(self, owner: str, lease_seconds: float, dead: list[str]) -> bool:
        """Acquire or renew the lease of the watcher; return whether this owner holds it.

        The lease of a `dead` owner is taken over before it expires.
        """
        query = _QUERIES["acquire_watch"]
        return bool(await self.database.fetchval(query, self.key, owner, lease_seconds, dead))

    async def release_watch(self, owner: str) -> None:
        """Release the lease of the watcher; does nothing for an owner that does not hold it."""
        await self.database.execute(_QUERIES["release_watch"], self.key, owner)

    async def watcher(self) -> str | None:
        """Return the owner of the watcher's lease; None if nobody holds it."""
        owner: str | None = await self.database.fetchval(_QUERIES["watcher"], self.key)
        return owner

    async def watch_state(self) -> dict[str, Any]:
        """Return the state that the watcher last saved."""
        state: dict[str, Any] = await self.database.fetchval(_QUERIES["watch_state"], self.key)
        return state

    async def save_watch_state(self, connection: Connection, state: dict[str, Any]) -> None:
        """Save the watcher's state, in the transaction of the changes that it covers."""
        await connection.execute(_QUERIES["save_watch_state"], self.key, state)

    async def set_problem(self, code: str, message: str) -> None:
        """Publish what keeps the pipeline from working, unless it was published before."""
        await self._publish_problem(WireProblem(code=code, message=message, since=now()))

    async def problem_code(self) -> str | None:
        """Return the code of the published problem, None without one."""
        problem = await self.database.fetchval(_QUERIES["problem"], self.key)
        return None if problem is None else str(problem["code"])

    async def clear_problem(self) -> None:
        """Publish that the pipeline works again, unless it had no problem."""
        await self._publish_problem(None)

    async def set_paused(self, reason: PauseReason | None) -> None:
        """Publish why no file is claimed, or None, unless it was published before."""
        stated = None if reason is None else reason.beginning_now()
        async with self.database.transaction() as connection:
            if _same(await connection.fetchval(_QUERIES["paused"], self.key), stated):
                return
            await connection.execute(_QUERIES["set_paused"], self.key, stated)
            event = status_update({"paused": stated})
            await append_events(connection, self.key, [event])

    async def set_budget(self, price: float, amount: float | None, period: str) -> None:
        """Save what may be spent on embeddings in each period; None for no limit.

        If that changes, files that wait for the budget become due. `price` is that of a million
        tokens.
        """
        budget = amount and {"amount": amount, "period": period, "price": price}
        async with self.database.transaction() as connection:
            if not await connection.fetchval(_QUERIES["budget_differs"], self.key, budget):
                return
            # before the head is locked: a transaction that holds files may wait for the head
            rows = await connection.fetch(_QUERIES["requeue_for_budget"], self.key)
            await connection.execute(_QUERIES["set_budget"], self.key, budget)
            if rows:
                requeued = {**mention(rows), "reason": "budget_changed"}
                event = status_update({"files_requeued": requeued})
                await append_events(connection, self.key, [event])

    async def _publish_problem(self, problem: WireProblem | None) -> None:
        async with self.database.transaction() as connection:
            known = await connection.fetchval(_QUERIES["problem"], self.key)
            if _same(known, problem):
                return
            event = status_update({"problem": problem})
            await append_events(connection, self.key, [event])


async def end_silent_pipelines(database: Database, silent_seconds: float) -> list[str]:
    """Publish `pipeline:offline` for pipelines whose heartbeat has stopped; return their ids."""
    ended = []
    for row in await database.fetch(_QUERIES["silent"], silent_seconds):
        async with database.transaction() as connection:
            key = row["pipeline_key"]
            if await connection.fetchval(_QUERIES["lock_if_silent"], key, silent_seconds):
                lost = await connection.fetch(_QUERIES["leases_expired"], key)
                await append_events(connection, key, [_offline("timeout"), *_files_lost(lost)])
                ended.append(row["pipeline_id"])
    return ended


async def record_heartbeat(
    connection: Connection, key: int, uptime_seconds: float, memory_bytes: int
) -> None:
    """Record that an external producer's pipeline is alive."""
    await connection.execute(_QUERIES["record_heartbeat"], key, uptime_seconds, memory_bytes)


def _offline(reason: OfflineReason) -> NewPipelineOffline:
    shutdown_at = now()
    return NewPipelineOffline(
        id=new_event_id(),
        timestamp=shutdown_at,
        type="pipeline:offline",
        status="offline",
        shutdown_at=shutdown_at,
        reason=reason,
    )


def _files_lost(rows: Sequence[asyncpg.Record]) -> list[NewStatusUpdate]:
    return [status_update({"files_lost": mention(rows, "stage")})] if rows else []


def _same(known: Reason | None, stated: Reason | None) -> bool:
    if known is None or stated is None:
        return known is stated
    return known["code"] == stated["code"] and known["message"] == stated["message"]


@dataclass(frozen=True, slots=True)
class FileCounts:
    """The number of files of some pipelines by state; `unfinished` are queued or processing."""

    unfinished: int = 0
    completed: int = 0
    skipped: int = 0
    failed: int = 0


async def count_files(database: Database, pipeline_ids: Sequence[str]) -> FileCounts:
    """Count the files of pipelines; raise the database's errors."""
    row = await database.fetchrow(_QUERIES["file_counts"], list(pipeline_ids))
    assert row is not None, "an aggregate has a row"
    return FileCounts(**dict(row))
