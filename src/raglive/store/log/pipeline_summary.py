"""`pipeline:summary`: counts, failures, throughput and stalled files, read at one moment."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cached_property
from typing import Literal
from zlib import crc32

import asyncpg
import orjson

from raglive.store.accounting.spending import NOTHING, budgets, usage_of_pipelines
from raglive.store.log.event_log import COUNTED_STATES
from raglive.store.log.new_events import new_event_id
from raglive.store.pool import Connection, Database
from raglive.store.sql import load_queries
from raglive_contract.error_advice import what_to_do
from raglive_contract.model import now, rfc3339
from raglive_contract.states import Stage
from raglive_contract.wire import (
    WireCounts,
    WireEstimate,
    WireFailureGroup,
    WireFileStanding,
    WirePipelineSummary,
    WireStageRate,
    WireThroughput,
    WireThroughputBucket,
)

__all__ = ["Summary", "estimate", "failures", "read_summaries", "throughput"]

_QUERIES = load_queries(__name__)

BUCKET_SECONDS = 60
BUCKETS = 30
MAX_FAILURES = 50
MAX_MESSAGE_CHARACTERS = 1000
MAX_STANDINGS = 200

Reader = Connection | Database


@dataclass(frozen=True)
class Summary:
    """A `pipeline:summary` in its wire form, and the head that it is exact at."""

    epoch: str
    seq: int
    counts: tuple[int, ...]  # as `Head.counts`
    event: WirePipelineSummary

    @cached_property
    def content(self) -> int:
        """A checksum that is equal for two summaries that tell a viewer the same.

        An empty interval of the throughput leaves it unchanged, so that a pipeline at rest stays
        as it is while the minutes pass.
        """
        event, throughput = self.event, self.event["throughput"]
        told = {name: event[name] for name in ("counts", "failures", "standings")}
        buckets = [[it["completed"], it["failed"]] for it in throughput["buckets"]]
        pace = {**throughput, "buckets": buckets}
        return crc32(orjson.dumps([told, pace]))

    @cached_property
    def is_at_rest(self) -> bool:
        """True if nothing is queued or in progress, and nothing finished in the last half hour."""
        counts, buckets = self.event["counts"], self.event["throughput"]["buckets"]
        is_idle = counts["queued"] + counts["processing"] == 0
        return is_idle and not any(it["completed"] + it["failed"] for it in buckets)


async def read_summaries(database: Database, pipeline_keys: Sequence[int]) -> dict[int, Summary]:
    """Read summaries in one snapshot of the database, without those of pipelines that are gone."""
    async with (
        database.connection() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        heads = await connection.fetch(_QUERIES["heads"], pipeline_keys)
        groups = await failures(connection, pipeline_keys)
        held = await connection.fetch(_QUERIES["standings"], pipeline_keys, MAX_STANDINGS)
        paces = await throughput(connection, pipeline_keys)
    standings = _by_pipeline(held)
    return {
        key: _summary(head, groups.get(key, []), standings[key], paces[key])
        for head in heads
        if (key := head["pipeline_key"]) in paces
    }


def _summary(
    head: asyncpg.Record,
    groups: Sequence[WireFailureGroup],
    standings: Sequence[asyncpg.Record],
    pace: WireThroughput,
) -> Summary:
    event = WirePipelineSummary(
        id=new_event_id(),
        type="pipeline:summary",
        pipeline_id=head["pipeline_id"],
        pipeline_type=head["pipeline_type"],
        timestamp=now(),
        head_seq=head["seq"],
        digest=bytes(head["digest"]).hex(),
        counts=_counts(head),
        failures=[
            {**group, "message": group["message"][:MAX_MESSAGE_CHARACTERS]}
            for group in groups[:MAX_FAILURES]
        ],
        throughput=pace,
        standings=[_standing(row) for row in standings],
    )
    counts = tuple(head[state] for state in COUNTED_STATES)
    return Summary(head["epoch"], head["seq"], counts, event)


async def failures(
    reader: Reader, pipeline_keys: Sequence[int]
) -> dict[int, list[WireFailureGroup]]:
    """Read why files failed, wait or were skipped: `FailureGroup`s, most frequent first."""
    rows = _by_pipeline(await reader.fetch(_QUERIES["failures"], pipeline_keys))
    return {key: [_failure(row) for row in found] for key, found in rows.items()}


async def throughput(reader: Reader, pipeline_keys: Sequence[int]) -> dict[int, WireThroughput]:
    """Read `Throughput`: the files finished in the last half hour, and the estimate.

    Pipelines that are gone are left out.
    """
    starts = await _starts(reader)
    args = (pipeline_keys, float(BUCKET_SECONDS), starts[0])
    finished = _by_pipeline(await reader.fetch(_QUERIES["throughput"], *args))
    paces = await reader.fetch(_QUERIES["pace"], pipeline_keys)
    month = datetime.now(UTC).date().replace(day=1)
    usage = await usage_of_pipelines(reader, pipeline_keys, month)
    total = await usage_of_pipelines(reader, pipeline_keys, date.min)
    limits = await budgets(reader, pipeline_keys)
    return {
        (key := pace["pipeline_key"]): {
            "bucket_seconds": BUCKET_SECONDS,
            "buckets": _buckets(starts, finished[key]),
            "estimate": estimate(pace),
            "usage": usage.get(key, NOTHING).wire(),
            "total_usage": total.get(key, NOTHING).wire(),
            "budget": limits.get(key),
        }
        for pace in paces
    }


async def _starts(reader: Reader) -> list[datetime]:
    """Return when the intervals of the last half hour began, by the clock of the database."""
    last: datetime = await reader.fetchval(_QUERIES["moment"], float(BUCKET_SECONDS))
    return [last - timedelta(seconds=BUCKET_SECONDS * ago) for ago in reversed(range(BUCKETS))]


def _by_pipeline(rows: Iterable[asyncpg.Record]) -> defaultdict[int, list[asyncpg.Record]]:
    found: defaultdict[int, list[asyncpg.Record]] = defaultdict(list)
    for row in rows:
        found[row["pipeline_key"]].append(row)
    return found


def _counts(row: asyncpg.Record) -> WireCounts:
    return {
        "queued": row["queued"],
        "processing": row["processing"],
        "completed": row["completed"],
        "failed": row["failed"],
        "skipped": row["skipped"],
        "waiting": row["waiting"],
    }


def _standing(row: asyncpg.Record) -> WireFileStanding:
    return {
        "id": row["id"],
        "standing": row["standing"],
        "moved_at": row["moved_at"] and rfc3339(row["moved_at"]),
    }


def _buckets(
    starts: Sequence[datetime], finished: Sequence[asyncpg.Record]
) -> list[WireThroughputBucket]:
    counted = {row["start"]: (row["completed"], row["failed"]) for row in finished}
    buckets: list[WireThroughputBucket] = []
    for start in starts:
        completed, failed = counted.get(start, (0, 0))
        buckets.append({"start": rfc3339(start), "completed": completed, "failed": failed})
    return buckets


def _failure(row: asyncpg.Record) -> WireFailureGroup:
    due = row["next_attempt_at"]
    return {
        "state": row["state"],
        "code": row["code"],
        "stage": row["stage"],
        "count": row["count"],
        "message": row["message"],
        "is_common": row["is_common"],
        "retryable": row["retryable"],
        "next_attempt_at": due and rfc3339(due),
        "what_to_do": what_to_do(row["code"], is_waiting=row["state"] == "waiting"),
    }


Unknown = Literal["nothing_to_do", "paused", "offline", "too_few_completed"]

FEWEST_FILES = 5
MEBIBYTE = 2**20


def estimate(pace: asyncpg.Record) -> WireEstimate:
    """Build `Estimate` from a row of the query `pace`.

    The time left is the mean of two estimates, one by files and one by bytes: a small file costs
    the overhead of a file, a large one the time for its bytes.
    """
    stages: list[WireStageRate] = [
        {"stage": stage, "seconds_per_mebibyte": round(per_mebibyte, 4)}
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


def _unknown(pace: asyncpg.Record) -> Unknown | None:
    if pace["files_left"] == 0:
        return "nothing_to_do"
    if pace["status"] != "online":
        return "offline"
    if pace["paused"]:
        return "paused"
    return "too_few_completed" if pace["files"] < FEWEST_FILES else None


def _seconds_left(pace: asyncpg.Record) -> float:
    """Estimate from the time during which any file was in progress: stages and files overlap."""
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
