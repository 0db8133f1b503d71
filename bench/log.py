"""How fast events are published, and how soon a listener is notified.

Publishes completed files on an embedded Postgres with default settings, with every commit on disk:
one at a time through `raglive.publish(...)`, as other people's SQL does, and in batches of 100
through `raglive.append_events`, as the pipelines and the HTTP endpoint do. It publishes from one
connection, from eight connections to one pipeline, which must wait for each other, and from eight
connections to a pipeline each. The same payload, inserted into a bare table in one transaction
each, gives the ratio: the cost of gapless order, digest, file registry, attempts, counts and the
hint. Then, at a low rate, it measures the time from the commit to the hint in a listening process.

Does not show: validation over HTTP, the status server (bench/fan_out.py), a remote database, a log
of many millions.
"""

from __future__ import annotations

import asyncio
import secrets
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import asyncpg

from bench.common.rate import rate
from bench.common.report import Report, is_quick
from raglive.local_stack.embedded_postgres import EmbeddedPostgres
from raglive.store.log.event_log import append_events
from raglive.store.migrate import migrate
from raglive.store.pool import Database
from raglive.store.registry.pipelines import PipelineRecord, new_event
from raglive_contract.model import rfc3339

BATCH = 100
CONNECTIONS = 8
_NUMBERS = count()
_BARE = """
CREATE TABLE IF NOT EXISTS bare (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, event jsonb)
"""
_PUBLISH = "SELECT raglive.publish($1, 'file:completed', $2)"

Work = Callable[[], Awaitable[int]]


async def main() -> None:
    seconds, hints = (2.0, 50) if is_quick(__doc__) else (10.0, 500)
    report = Report("The log", "HTTP, a network, many millions of events.")
    with tempfile.TemporaryDirectory(prefix="raglive-bench-") as place:
        async with EmbeddedPostgres(Path(place), password=secrets.token_hex(16)) as server:
            await migrate(server.dsn)
            database = await Database.connect(server.dsn, name="bench", max_size=CONNECTIONS)
            try:
                await measure_rates(report, database, seconds)
                await measure_hints(report, database, hints)
            finally:
                await database.close()
    report.show()


async def measure_rates(report: Report, database: Database, seconds: float) -> None:
    await database.execute(_BARE)
    records = [
        await PipelineRecord.register(database, f"bench-{number}", "local_files")
        for number in range(CONNECTIONS)
    ]
    plan: list[tuple[str, Callable[[list[PipelineRecord]], Work], str]] = [
        ("bare insert and commit", lambda _: inserting(database), ""),
        ("raglive.publish, one event", lambda to: publishing(database, to), ">= 1,500/s"),
        (f"append_events, {BATCH} events", lambda to: appending(database, to), ">= 20,000/s"),
    ]
    found: dict[int, float] = {}
    for what, work, goal in plan:
        for workers, to in ((1, records[:1]), (CONNECTIONS, records[:1]), (CONNECTIONS, records)):
            if what.startswith("bare") and len(to) > 1:
                continue
            per_second = await rate(work(to), workers, seconds)
            bare = found.setdefault(workers, per_second)
            who = f"{workers} x, {len(to)} pipeline(s)"
            value = f"{per_second:,.0f}/s ({per_second / bare:.2f} x bare)"
            report.figure(f"{what}, {who}", value, goal)


def inserting(database: Database) -> Work:
    async def insert() -> int:
        await database.execute("INSERT INTO bare (event) VALUES ($1)", _event())
        return 1

    return insert


def publishing(database: Database, records: list[PipelineRecord]) -> Work:
    turn = count()

    async def publish() -> int:
        record = records[next(turn) % len(records)]
        fields = {key: value for key, value in _event().items() if key not in {"id", "type"}}
        await database.execute(_PUBLISH, record.pipeline_id, fields)
        return 1

    return publish


def appending(database: Database, records: list[PipelineRecord]) -> Work:
    turn = count()

    async def append() -> int:
        record = records[next(turn) % len(records)]
        async with database.transaction() as connection:
            await append_events(connection, record.key, [_event() for _ in range(BATCH)])
        return BATCH

    return append


async def measure_hints(report: Report, database: Database, times: int) -> None:
    heard: asyncio.Queue[float] = asyncio.Queue()
    record = await PipelineRecord.register(database, "bench-hints", "local_files")
    listener = await asyncpg.connect(database.dsn)
    try:
        await listener.add_listener(
            "raglive_head", lambda *_: heard.put_nowait(time.perf_counter())
        )
        delays = []
        for _ in range(times):
            async with database.transaction() as connection:
                await append_events(connection, record.key, [_event()])
                before = time.perf_counter()
            delays.append(await asyncio.wait_for(heard.get(), 5) - before)
            await asyncio.sleep(0.01)
        report.times("COMMIT sent to hint received", delays)
    finally:
        await listener.close()


def _event() -> dict[str, Any]:
    number = next(_NUMBERS)
    now = rfc3339(datetime.now(UTC))
    return new_event(
        "file:completed",
        file={"id": f"file {number}", "name": f"report {number}.pdf", "completed_at": now},
        attempt=1,
        success=True,
        results={
            "chunks_created": 12,
            "embeddings_generated": 12,
            "processing_duration": 0.4,
            "content_length": 12_000,
        },
    )


if __name__ == "__main__":
    asyncio.run(main())
