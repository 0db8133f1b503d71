"""What is read for those who watch: pipelines, their events, and how their files fare."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, TypeVar

import asyncpg

from raglive.store.accounting.spending import budget_of, usage_of_pipeline
from raglive.store.errors import TRANSIENT, DatabaseUnavailable
from raglive.store.log.event_log import Head, LoggedEvent, logged_event
from raglive.store.pool import Database
from raglive.store.sql import load_queries
from raglive_contract.errors import ErrorCode, RagliveError
from raglive_contract.file_errors import what_to_do
from raglive_contract.model import rfc3339
from raglive_contract.states import Stage

__all__ = ["PipelineReads", "Standing", "estimate", "no_such_pipeline", "read_within"]

_QUERIES = load_queries(__name__)

RETRY_AFTER_MS = 1000
BUCKET_SECONDS = 60
BUCKETS = 30

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Standing:
    """A pipeline's head, its `pipeline:status` at exactly that head, and its heartbeat's age."""

    head: Head
    snapshot: dict[str, Any]
    silent_seconds: float | None


class PipelineReads:
    """Reads that give up after `within_seconds`; every one may raise `DatabaseUnavailable`."""

    def __init__(self, database: Database, *, within_seconds: float = 10.0) -> None:
        self._database = database
        self._within_seconds = within_seconds

    async def ping(self) -> None:
        """Ask the database for nothing but an answer."""
        await self._read(self._database.fetchval(_QUERIES["ping"]))

    async def board(self) -> list[Standing]:
        """Return where every pipeline stands, at one moment."""
        rows = await self._fetch(_QUERIES["board"])
        return [Standing(_head(row), row["snapshot"], row["silent_seconds"]) for row in rows]

    async def snapshot(self, pipeline_key: int) -> dict[str, Any]:
        """Return `pipeline:status`; raise `not_found` for a pipeline that is gone."""
        query = self._database.fetchval(_QUERIES["snapshot"], pipeline_key)
        snapshot: dict[str, Any] | None = await self._read(query)
        if snapshot is None:
            raise no_such_pipeline()
        return snapshot

    async def head(self, pipeline_id: str) -> Head:
        """Return the end of a pipeline's log; raise `not_found` when there is none."""
        rows = await self._fetch(_QUERIES["head"], pipeline_id)
        if not rows:
            raise no_such_pipeline()
        return _head(rows[0])

    async def events_after(
        self, starts: Sequence[tuple[Head, int]], limit: int
    ) -> dict[int, list[LoggedEvent]]:
        """Return, by pipeline key, at most `limit` events each after a seq and up to the head."""
        heads = {head.pipeline_key: head for head, _ in starts}
        rows = await self._fetch(
            _QUERIES["events_after"],
            list(heads),
            [seq for _, seq in starts],
            [head.seq for head in heads.values()],
            limit,
        )
        events: dict[int, list[LoggedEvent]] = defaultdict(list)
        for row in rows:
            key, *logged = row
            events[key].append(logged_event(heads[key], logged))
        return events

    async def event_page(
        self,
        head: Head,
        *,
        before: int,
        after: int,
        limit: int,
        types: Sequence[str] = (),
        file_id: str | None = None,
    ) -> list[LoggedEvent]:
        """Return at most `limit` events between two seqs, both left out, newest first."""
        only = ""
        args: list[Any] = [head.pipeline_key, before, after, limit]
        for condition, value in (("type = ANY ({})", list(types)), ("file_id = {}", file_id)):
            if value:
                args.append(value)
                only += " AND " + condition.format(f"${len(args)}")
        rows = await self._fetch(_QUERIES["event_page"].format(only=only), *args)
        return [logged_event(head, row) for row in rows]

    async def failures(self, head: Head) -> list[dict[str, Any]]:
        """Return why files failed, wait or were skipped, most frequent first."""
        rows = await self._fetch(_QUERIES["failures"], head.pipeline_key)
        return [_failure(row) for row in rows]

    async def throughput(self, head: Head) -> dict[str, Any]:
        """Return what was finished in each minute of the last half hour, and what that says."""
        rows = await self._fetch(
            _QUERIES["throughput"], head.pipeline_key, float(BUCKET_SECONDS), BUCKETS
        )
        buckets = [dict(row) | {"start": rfc3339(row["start"])} for row in rows]
        [pace] = await self._fetch(_QUERIES["pace"], head.pipeline_key)
        month = datetime.now(UTC).date().replace(day=1)
        usage = await self._read(usage_of_pipeline(self._database, head.pipeline_key, month))
        total = await self._read(usage_of_pipeline(self._database, head.pipeline_key, date.min))
        budget = await self._read(budget_of(self._database, head.pipeline_key))
        return {
            "bucket_seconds": BUCKET_SECONDS,
            "buckets": buckets,
            "estimate": estimate(pace),
            "usage": usage.wire(),
            "total_usage": total.wire(),
            "budget": budget,
        }

    async def _fetch(self, query: str, *args: Any) -> list[asyncpg.Record]:
        return await self._read(self._database.fetch(query, *args))

    async def _read(self, query: Coroutine[Any, Any, Result]) -> Result:
        return await read_within(self._within_seconds, query)


async def read_within(seconds: float, query: Coroutine[Any, Any, Result]) -> Result:
    """Return what a query returns; raise `DatabaseUnavailable` after `seconds` without an answer.

    The query is abandoned rather than awaited: cancelling one waits for the silent server itself.
    """
    task = asyncio.ensure_future(query)
    task.add_done_callback(_retrieve)
    try:
        done, _ = await asyncio.wait({task}, timeout=seconds)
    except asyncio.CancelledError:
        task.cancel()
        raise
    if not done:
        task.cancel()
        raise _unavailable(f"for {seconds:g} s")
    try:
        return task.result()
    except TRANSIENT as error:
        raise _unavailable(f"({type(error).__name__})") from error


def no_such_pipeline() -> RagliveError:
    """Return what is said of a pipeline that is missing, or forbidden."""
    return RagliveError(
        "There is no such pipeline, or the token does not give the right to see it.",
        code=ErrorCode.NOT_FOUND,
    )


def _retrieve(task: asyncio.Task[Any]) -> None:
    if not task.cancelled():
        task.exception()


def _unavailable(how: str) -> DatabaseUnavailable:
    return DatabaseUnavailable(
        f"The database does not answer {how}. Nothing is lost; try again.",
        retry_after_ms=RETRY_AFTER_MS,
    )


def _failure(row: asyncpg.Record) -> dict[str, Any]:
    due = row["next_attempt_at"]
    return dict(row) | {
        "next_attempt_at": due and rfc3339(due),
        "what_to_do": what_to_do(row["code"]),
    }


def _head(row: asyncpg.Record) -> Head:
    return Head(
        row["pipeline_key"],
        row["pipeline_id"],
        row["pipeline_type"],
        row["epoch"],
        row["seq"],
        bytes(row["digest"]),
    )


FEWEST_FILES = 5
MEBIBYTE = 2**20


def estimate(pace: asyncpg.Record) -> dict[str, Any]:
    """Return the wire form of `Estimate` from a row of the query `pace`.

    What lies ahead is weighed half by its files and half by their bytes: small files cost what a
    file costs, and large ones what their bytes do.
    """
    stages = [
        {"stage": str(stage), "seconds_per_mebibyte": round(per_mebibyte, 4)}
        for stage in Stage
        if (per_mebibyte := _rate(pace, stage)) is not None
    ]
    why = _unknown(pace)
    return {
        "seconds_left": None if why else round(_seconds_left(pace), 1),
        "unknown_because": why,
        "files_left": pace["files_left"],
        "stages": stages,
    }


def _unknown(pace: asyncpg.Record) -> str | None:
    if pace["files_left"] == 0:
        return "nothing_to_do"
    if pace["status"] != "online":
        return "offline"
    if pace["paused"]:
        return "paused"
    return "too_few_completed" if pace["files"] < FEWEST_FILES else None


def _seconds_left(pace: asyncpg.Record) -> float:
    """Stages overlap, and so do files: what counts is how long any of them was at work."""
    span = max(pace["span"], 0.001)
    by_files = span * pace["files_left"] / pace["files"]
    if not pace["bytes"] or pace["sized_left"] < pace["files_left"]:
        return float(by_files)
    by_bytes = span * pace["bytes_left"] / pace["bytes"]
    return float((by_files + by_bytes) / 2)


def _rate(pace: asyncpg.Record, stage: Stage) -> float | None:
    seconds = pace["stages"].get(str(stage))
    if seconds is None or not pace["bytes"]:
        return None
    return float(max(0.0, seconds) * MEBIBYTE / pace["bytes"])
