"""Reads for viewers, each within a time limit: statuses, snapshots, summaries and events."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Coroutine, Sequence
from dataclasses import dataclass, field, fields
from operator import itemgetter
from typing import Any, Literal, Self, TypeVar

import asyncpg

from raglive.store.errors import TRANSIENT, DatabaseUnavailable
from raglive.store.log import event_log
from raglive.store.log.event_log import Head, LoggedEvent, logged_event
from raglive.store.log.pipeline_summary import Summary, failures, read_summaries, throughput
from raglive.store.pool import Database
from raglive.store.sql import load_queries
from raglive_contract.errors import ErrorCode, RagliveError
from raglive_contract.wire import (
    WireFailureGroup,
    WirePause,
    WirePipelineStatus,
    WireProblem,
    WireThroughput,
)

__all__ = ["PipelineReads", "PipelineRow", "PipelineSnapshot", "no_such_pipeline", "read_within"]

_QUERIES = load_queries(__name__)
_LOG = load_queries(event_log.__name__)
_SNAPSHOTS = _QUERIES["pipelines"].format(
    snapshot=", raglive.pipeline_status(head.pipeline_key) AS snapshot",
    only="WHERE head.pipeline_key = ANY($1)",
)

RETRY_AFTER_MS = 1000

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class PipelineRow:
    """A pipeline's head, and the small part of its status that is read for all pipelines.

    Two rows with the same `progress` show the same files in progress; None if there are none.
    `silent_seconds` is None for a pipeline that has never sent a heartbeat.
    """

    head: Head
    status: Literal["online", "offline"]
    problem: WireProblem | None
    paused: WirePause | None
    last_activity: str | None
    last_heartbeat: str | None
    progress: int | None
    silent_seconds: float | None = field(compare=False)

    @classmethod
    def of_row(cls, row: asyncpg.Record) -> Self:
        """Read a row of the query `pipelines`."""
        return cls(Head.of_row(row), *(row[name] for name in _FIELDS))


_FIELDS = [each.name for each in fields(PipelineRow)[1:]]


@dataclass(frozen=True, slots=True)
class PipelineSnapshot:
    """A pipeline's row, and its `pipeline:status` at exactly that head."""

    row: PipelineRow
    status: WirePipelineStatus


class PipelineReads:
    """Reads with a time-out of `within_seconds`; each may raise `DatabaseUnavailable`."""

    def __init__(self, database: Database, *, within_seconds: float = 10.0) -> None:
        self._database = database
        self._within_seconds = within_seconds

    async def ping(self) -> None:
        """Check that the database answers."""
        await self._read(self._database.fetchval(_QUERIES["ping"]))

    async def pipelines(self) -> list[PipelineRow]:
        """Read the row of every pipeline, by id."""
        rows = await self._fetch(_QUERIES["pipelines"].format(snapshot="", only=""))
        return [PipelineRow.of_row(row) for row in rows]

    async def snapshots(self, pipeline_keys: Sequence[int]) -> list[PipelineSnapshot]:
        """Read the whole status of some pipelines, by id, without those that are gone."""
        rows = await self._fetch(_SNAPSHOTS, pipeline_keys)
        return [PipelineSnapshot(PipelineRow.of_row(row), row["snapshot"]) for row in rows]

    async def keys(self) -> dict[str, int]:
        """Read the keys of all pipelines by their ids."""
        rows = await self._fetch(_QUERIES["keys"])
        return {row["pipeline_id"]: row["pipeline_key"] for row in rows}

    async def statuses(self, pipeline_keys: Sequence[int]) -> list[WirePipelineStatus]:
        """Read the statuses of some pipelines, by id, without those that are gone."""
        rows = await self._fetch(_QUERIES["statuses"], pipeline_keys)
        statuses: list[WirePipelineStatus] = [row["snapshot"] for row in rows if row["snapshot"]]
        return sorted(statuses, key=itemgetter("pipeline_id"))

    async def snapshot(self, pipeline_key: int) -> WirePipelineStatus:
        """Read `pipeline:status`; raise `not_found` for a pipeline that is gone."""
        query = self._database.fetchval(_QUERIES["snapshot"], pipeline_key)
        snapshot: WirePipelineStatus | None = await self._read(query)
        if snapshot is None:
            raise no_such_pipeline()
        return snapshot

    async def head(self, pipeline_id: str) -> Head:
        """Read the end of a pipeline's log; raise `not_found` if there is no such pipeline."""
        rows = await self._fetch(_LOG["head"], pipeline_id)
        if not rows:
            raise no_such_pipeline()
        return Head.of_row(rows[0])

    async def events_after(
        self, starts: Sequence[tuple[Head, int]], limit: int
    ) -> dict[int, list[LoggedEvent]]:
        """Read, by pipeline key, at most `limit` events of each log after a seq, up to the head."""
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
        """Read at most `limit` events between two seqs, both exclusive, newest first."""
        only = ""
        args: list[Any] = [head.pipeline_key, before, after, limit]
        for condition, value in (("type = ANY ({})", list(types)), ("file_id = {}", file_id)):
            if value:
                args.append(value)
                only += " AND " + condition.format(f"${len(args)}")
        rows = await self._fetch(_QUERIES["event_page"].format(only=only), *args)
        return [logged_event(head, row) for row in rows]

    async def failures(self, head: Head) -> list[WireFailureGroup]:
        """Read why files failed, wait or were skipped: `FailureGroup`s, most frequent first."""
        key = head.pipeline_key
        found = await self._read(failures(self._database, [key]))
        return found.get(key, [])

    async def throughput(self, head: Head) -> WireThroughput:
        """Read `Throughput`; raise `not_found` for a pipeline that is gone."""
        key = head.pipeline_key
        found = await self._read(throughput(self._database, [key]))
        if key not in found:
            raise no_such_pipeline()
        return found[key]

    async def summaries(self, pipeline_keys: Sequence[int]) -> dict[int, Summary]:
        """Read `pipeline:summary` by pipeline key, without those of pipelines that are gone."""
        return await self._read(read_summaries(self._database, pipeline_keys))

    async def _fetch(self, query: str, *args: Any) -> list[asyncpg.Record]:
        return await self._read(self._database.fetch(query, *args))

    async def _read(self, query: Coroutine[Any, Any, Result]) -> Result:
        return await read_within(self._within_seconds, query)


async def read_within(seconds: float, query: Awaitable[Result]) -> Result:
    """Await a query; raise `DatabaseUnavailable` after `seconds` without an answer.

    The query is then abandoned: cancelling it would wait for the server that does not answer.
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
    """Build the error for a missing pipeline and for a forbidden one, which must look alike."""
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
