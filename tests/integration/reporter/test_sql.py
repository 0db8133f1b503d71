"""Heartbeats and progress from SQL reach the servers that listen; reports need no status server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from raglive.store.pool import Database
from raglive_contract.errors import RagliveError
from raglive_contract.events import event_adapter
from raglive_reporter import AsyncReporter
from raglive_reporter.sql import SqlTransport
from raglive_reporter.transport import Batch
from tests.integration.reporter.conftest import QUICK, ReadLog
from tests.integration.reporter.listening import listening
from tests.integration.reporter.status_process import PIPELINE


@pytest.fixture
async def session(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A session of any client, without raglive's settings."""
    connection = await asyncpg.connect(dsn)
    yield connection
    await connection.close()


def _progress(number: int, name: str = "a.pdf") -> dict[str, Any]:
    return {
        "id": str(uuid4()),
        "type": "file:progress",
        "file": {"id": str(number), "name": name},
        "processing_stage": "embedding",
        "progress": 0.5,
        "attempt": 1,
    }


async def test_a_report_needs_only_the_database(
    dsn: str, tmp_path: Path, read_log: ReadLog, database: Database
) -> None:
    async with (
        listening(dsn) as shown,
        AsyncReporter(
            PIPELINE,
            pipeline_type="web_crawler",
            transport=SqlTransport(dsn),
            outbox=tmp_path / "outbox",
            intervals=QUICK,
        ) as reporter,
        reporter.file("a.pdf") as file,
    ):
        file.progress(0.5)
        await shown.until("file:progress", lambda it: it["progress"] == 0.5)
        await shown.until("heartbeat", lambda it: it["head_seq"] == 2)
    assert len(await read_log()) == 4
    assert await database.fetchval("SELECT last_heartbeat IS NOT NULL FROM raglive.pipelines")


async def test_a_heartbeat_is_stored_and_sent_complete(
    dsn: str, session: asyncpg.Connection
) -> None:
    async with listening(dsn) as shown:
        await session.execute("SELECT raglive.heartbeat('nightly', 12.5, 4096, 3, 'imports')")
        beat = await shown.until("heartbeat", lambda _: True)
    event_adapter.validate_python(beat)
    assert (beat["pipeline_id"], beat["pipeline_type"]) == ("nightly", "imports")
    assert (beat["head_seq"], beat["digest"], beat["active_files"]) == (0, "", 3)
    row = await session.fetchrow(
        "SELECT uptime, memory_usage, last_heartbeat IS NOT NULL FROM raglive.pipelines"
    )
    assert row is not None
    assert tuple(row) == (12.5, 4096, True)


async def test_many_events_are_sent_in_few_notifications_and_oversized_ones_left_out(
    dsn: str, session: asyncpg.Connection
) -> None:
    events = [_progress(number) for number in range(200)]
    # JSON needs six bytes for each control character
    oversized = {"id": "\x01" * 512, "name": "\x01" * 1024}
    events.insert(3, _progress(0) | {"file": oversized, "processing_stage": "embedding"})
    async with listening(dsn) as shown:
        sent = await session.fetchval(
            "SELECT raglive.show('nightly', $1::text::jsonb, 'imports')", json.dumps(events)
        )
        for number in range(200):
            event = await shown.until("file:progress", lambda _: True)
            assert event["file"]["id"] == str(number)
            event_adapter.validate_python(event)
    assert sent == 200


@pytest.mark.parametrize(
    ("event", "why"),
    [
        ({"type": "file:deleted"}, "'file:deleted' is not a conflated event type"),
        ({}, "nothing is not a conflated event type"),
        ({"type": "heartbeat", "uptime": -1}, "uptime must be a number from 0"),
        (_progress(1) | {"progress": 1.5}, "progress must be a number from 0 to 1"),
        (_progress(1) | {"surprise": 1}, "surprise is not a field of it"),
        (_progress(1) | {"file": {"id": "a", "name": "a", "size": 1}}, r"file\.size is not"),
        (_progress(1) | {"pipeline_id": "another"}, "a pipeline other than the one it is shown"),
    ],
)
async def test_an_event_that_breaks_the_contract_is_refused(
    event: dict[str, Any], why: str, session: asyncpg.Connection
) -> None:
    if event.get("type") == "heartbeat":
        event = {"memory_usage": 1, "active_files": 0, **event}
    with pytest.raises(asyncpg.InvalidParameterValueError, match=why):
        await session.execute(
            "SELECT raglive.show('nightly', $1::text::jsonb, 'imports')", json.dumps([event])
        )


@pytest.mark.parametrize(
    ("change", "code", "why"),
    [
        (("127.0.0.1", "127.0.0.1:1/"), "unavailable", "does not accept events"),
        (("/raglive_test", "/missing_"), "database_misconfigured", "Correct the address"),
        (("postgresql://", "nonsense://"), "database_misconfigured", "Correct the address"),
    ],
    ids=["unreachable", "no database", "no address"],
)
async def test_a_failed_connection_says_what_to_do(
    change: tuple[str, str], code: str, why: str, dsn: str
) -> None:
    transport = SqlTransport(dsn.replace(*change))
    await transport.open()
    with pytest.raises(RagliveError, match=why) as failed:
        await transport.show(Batch("nightly", "imports", [b"{}"]))
    assert failed.value.code == code
    assert dsn.split("@", maxsplit=1)[0].rpartition(":")[2] not in str(failed.value)
    await transport.close()


async def test_a_database_without_the_schema_says_what_to_run(empty_dsn: str) -> None:
    transport = SqlTransport(empty_dsn)
    with pytest.raises(RagliveError, match="Run `raglive db migrate`") as failed:
        await transport.publish(Batch("nightly", "imports", [b"{}"]))
    assert failed.value.retryable
    await transport.close()


async def test_a_lost_connection_is_replaced(dsn: str, database: Database) -> None:
    transport = SqlTransport(dsn)
    batch = Batch("nightly", "imports", [json.dumps(_progress(1)).encode()])
    await transport.show(batch)
    terminated = await database.fetch(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = 'raglive reporter' AND datname = current_database()"
    )
    assert len(terminated) == 1
    async with asyncio.timeout(30):
        while True:
            try:
                await transport.show(batch)
            except RagliveError as error:
                assert error.retryable  # noqa: PT017 - until the client notices the lost connection
            else:
                break
    await transport.close()
