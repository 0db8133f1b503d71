"""A pipeline's own row: its heartbeat, who watches its source, and what keeps it from working."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import asyncpg
from uuid6 import uuid7

from raglive.store.log.event_log import append_events
from raglive.store.pool import Connection, Database
from raglive.store.sql import load_queries
from raglive_contract.model import rfc3339
from raglive_contract.states import OfflineReason

__all__ = [
    "Beat",
    "FileCounts",
    "Paused",
    "PipelineRecord",
    "count_files",
    "end_silent_pipelines",
    "new_event",
    "note_heartbeat",
]

_QUERIES = load_queries("registry/pipelines")

MENTIONED = 50  # files that an event names; the others are counted


def new_event(event_type: str, **fields: Any) -> dict[str, Any]:
    """Return an event with a new id, happening now."""
    return {
        "id": str(uuid7()),
        "type": event_type,
        "timestamp": rfc3339(datetime.now(UTC)),
        **fields,
    }


@dataclass(frozen=True, slots=True)
class Beat:
    """What a heartbeat found the pipeline to be."""

    status: str
    head_seq: int
    digest: bytes
    processing: int


@dataclass(frozen=True, slots=True)
class Paused:
    """Why no file is taken up, what becomes of files meanwhile, and what to do about it."""

    code: str
    why: str
    meanwhile: str
    what_to_do: str

    def wire(self) -> dict[str, str]:
        """Return the wire form, without the time."""
        message = f"{self.why} {self.meanwhile}"
        return {"code": self.code, "message": message, "what_to_do": self.what_to_do}


class PipelineRecord:
    """One pipeline in the database."""

    def __init__(self, database: Database, key: int, pipeline_id: str, pipeline_type: str) -> None:
        self.database = database
        self.key = key
        self.pipeline_id = pipeline_id
        self.pipeline_type = pipeline_type

    @classmethod
    async def register(
        cls, database: Database, pipeline_id: str, pipeline_type: str
    ) -> PipelineRecord:
        """Find the pipeline, or make it."""
        async with database.transaction() as connection:
            key = await connection.fetchval(_QUERIES["register"], pipeline_id, pipeline_type)
        return cls(database, key, pipeline_id, pipeline_type)

    async def announce_online(self, check_interval: float, watch_location: str) -> None:
        """Publish `pipeline:online`."""
        event = new_event(
            "pipeline:online",
            status="online",
            started_at=rfc3339(datetime.now(UTC)),
            check_interval=check_interval,
            watch_location=watch_location,
        )
        async with self.database.transaction() as connection:
            await append_events(connection, self.key, [event])

    async def announce_offline(self, reason: OfflineReason) -> None:
        """Publish `pipeline:offline`."""
        async with self.database.transaction() as connection:
            await append_events(connection, self.key, [_offline(reason)])

    async def beat(
        self,
        *,
        uptime_seconds: float,
        memory_bytes: int,
        is_checking: bool,
        last_check: datetime | None,
        next_check: datetime | None,
    ) -> Beat:
        """Note that the pipeline is alive."""
        row = await self.database.fetchrow(
            _QUERIES["beat"],
            self.key,
            uptime_seconds,
            memory_bytes,
            is_checking,
            last_check,
            next_check,
        )
        assert row is not None, "a registered pipeline has a row"
        return Beat(row["status"], row["seq"], bytes(row["digest"]), row["processing"])

    async def take_watch(self, owner: str, lease_seconds: float, dead: list[str]) -> bool:
        """Become, or stay, the one that watches the source; `dead` owners are known to be gone."""
        query = _QUERIES["take_watch"]
        return bool(await self.database.fetchval(query, self.key, owner, lease_seconds, dead))

    async def leave_watch(self, owner: str) -> None:
        """Let another watch the source."""
        await self.database.execute(_QUERIES["leave_watch"], self.key, owner)

    async def watcher(self) -> str | None:
        """Return who watches the source."""
        owner: str | None = await self.database.fetchval(_QUERIES["watcher"], self.key)
        return owner

    async def watch_state(self) -> dict[str, Any]:
        """Return what the watcher last kept."""
        state: dict[str, Any] = await self.database.fetchval(_QUERIES["watch_state"], self.key)
        return state

    async def keep_watch_state(self, connection: Connection, state: dict[str, Any]) -> None:
        """Keep the watcher's state, in the transaction of what it stands for."""
        await connection.execute(_QUERIES["keep_watch_state"], self.key, state)

    async def set_problem(self, code: str, message: str) -> None:
        """Say what keeps the pipeline from working; published once, until it changes."""
        await self._publish_problem(
            {"code": code, "message": message, "since": rfc3339(datetime.now(UTC))}
        )

    async def clear_problem(self) -> None:
        """Say that the pipeline works again."""
        await self._publish_problem(None)

    async def set_paused(self, paused: Paused | None) -> None:
        """Say why no file is taken up; once, until it changes."""
        said = None if paused is None else paused.wire()
        async with self.database.transaction() as connection:
            if _same(await connection.fetchval(_QUERIES["paused"], self.key), said):
                return
            now = said and said | {"since": rfc3339(datetime.now(UTC))}
            await connection.execute(_QUERIES["set_paused"], self.key, now)
            event = new_event("status:update", changes={"paused": now})
            await append_events(connection, self.key, [event])

    async def set_budget(self, price: float, amount: float | None, period: str) -> None:
        """Note what may be spent on embeddings in each period, for those who watch.

        When it is not what it was, files that wait for it are due. `price`: of a million tokens.
        """
        budget = amount and {"amount": amount, "period": period, "price": price}
        async with self.database.transaction() as connection:
            if not await connection.fetchval(_QUERIES["is_other_budget"], self.key, budget):
                return
            # before the head is locked: whoever holds a file may wait for the head
            rows = await connection.fetch(_QUERIES["requeue_for_budget"], self.key)
            await connection.execute(_QUERIES["set_budget"], self.key, budget)
            if rows:
                files = [{"id": row["file_id"], "name": row["name"]} for row in rows[:MENTIONED]]
                requeued = {"count": len(rows), "files": files, "reason": "budget_changed"}
                event = new_event("status:update", changes={"files_requeued": requeued})
                await append_events(connection, self.key, [event])

    async def _publish_problem(self, problem: dict[str, Any] | None) -> None:
        async with self.database.transaction() as connection:
            known = await connection.fetchval(_QUERIES["problem"], self.key)
            if _same(known, problem):
                return
            event = new_event("status:update", changes={"problem": problem})
            await append_events(connection, self.key, [event])


async def end_silent_pipelines(database: Database, silent_seconds: float) -> list[str]:
    """Publish `pipeline:offline` for pipelines whose heartbeat has stopped; return their ids."""
    ended = []
    for row in await database.fetch(_QUERIES["silent"], silent_seconds):
        async with database.transaction() as connection:
            key = row["pipeline_key"]
            if await connection.fetchval(_QUERIES["lock_if_silent"], key, silent_seconds):
                left = await connection.fetch(_QUERIES["left_behind"], key)
                await append_events(connection, key, [_offline("timeout"), *_lost(left)])
                ended.append(row["pipeline_id"])
    return ended


async def note_heartbeat(
    connection: Connection, key: int, uptime_seconds: float, memory_bytes: int
) -> None:
    """Note that a producer's pipeline is alive."""
    await connection.execute(_QUERIES["note_heartbeat"], key, uptime_seconds, memory_bytes)


def _offline(reason: OfflineReason) -> dict[str, Any]:
    now = rfc3339(datetime.now(UTC))
    return new_event("pipeline:offline", status="offline", shutdown_at=now, reason=reason)


def _lost(rows: Sequence[asyncpg.Record]) -> list[dict[str, Any]]:
    if not rows:
        return []
    files = [
        {"id": row["file_id"], "name": row["name"], "stage": row["stage"]}
        for row in rows[:MENTIONED]
    ]
    changes = {"files_lost": {"count": len(rows), "files": files}}
    return [new_event("status:update", changes=changes)]


def _same(known: dict[str, Any] | None, problem: dict[str, Any] | None) -> bool:
    if known is None or problem is None:
        return known is problem
    return all(known[key] == problem[key] for key in ("code", "message"))


@dataclass(frozen=True, slots=True)
class FileCounts:
    """How many files of some pipelines stand in each state."""

    unfinished: int = 0
    completed: int = 0
    skipped: int = 0
    failed: int = 0


async def count_files(database: Database, pipeline_ids: Sequence[str]) -> FileCounts:
    """Count the files of these pipelines. Raises the database's errors."""
    row = await database.fetchrow(_QUERIES["file_counts"], list(pipeline_ids))
    assert row is not None, "an aggregate has a row"
    return FileCounts(**dict(row))
