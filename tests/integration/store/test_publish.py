"""Publishing from plain SQL, in the transaction of the caller."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import asyncpg
import pytest

from raglive.store.log.event_log import EventLog
from raglive.store.pool import Database
from raglive.store.registry.file_listing import FileListing
from raglive_contract.events import event_adapter

ONLINE = {"started_at": "2026-01-02T04:04:05+01:00", "check_interval": 60, "watch_location": "s3"}
FILE = {"id": "f", "name": "a.pdf"}
PROCESSING = {
    "file": {**FILE, "size": None, "started_at": "2026-01-02T03:04:05.678901Z"},
    "processing_stage": "extraction",
    "attempt": 1,
}
COMPLETED = {
    "file": {**FILE, "completed_at": "2026-01-02T03:04:06Z"},
    "results": {
        "chunks_created": 2,
        "embeddings_generated": 2,
        "processing_duration": 1.5,
        "content_length": 30,
    },
    "attempt": 1,
}


@pytest.fixture
async def session(dsn: str) -> Any:
    """A plain client session, without raglive's codecs and settings."""
    connection = await asyncpg.connect(dsn)
    yield connection
    await connection.close()


async def publish(session: asyncpg.Connection, event_type: str, fields: object) -> str:
    query = "SELECT raglive.publish('reports', $1, $2::jsonb, pipeline_type => 's3')"
    cursor: str = await session.fetchval(query, event_type, json.dumps(fields))
    return cursor


async def test_an_event_is_committed_with_the_callers_work_or_not_at_all(
    session: asyncpg.Connection, database: Database
) -> None:
    await session.execute("CREATE TABLE orders (id integer)")
    async with session.transaction():
        await session.execute("INSERT INTO orders VALUES (1)")
        await publish(session, "pipeline:online", ONLINE)
    given_up = session.transaction()
    await given_up.start()
    await session.execute("INSERT INTO orders VALUES (2)")
    await publish(session, "file:processing", PROCESSING)
    await given_up.rollback()
    cursor = await publish(session, "file:processing", PROCESSING)

    (head,) = await EventLog(database).heads()
    assert (head.seq, str(head.position)) == (2, cursor)
    assert await session.fetchval("SELECT count(*) FROM orders") == 1


async def test_published_events_are_complete_on_the_wire(
    session: asyncpg.Connection, database: Database
) -> None:
    await publish(session, "pipeline:online", ONLINE)
    await publish(session, "file:processing", PROCESSING)
    await publish(session, "file:completed", COMPLETED)
    await publish(session, "status:update", {"changes": {"problem": None, "note": "x"}})
    (head,) = await EventLog(database).heads()
    logged = await EventLog(database).read_after(head, 0, 10)
    events: list[Any] = [one.event for one in logged]
    assert [event_adapter.validate_python(event).wire() for event in events] == events
    assert events[0]["started_at"] == "2026-01-02T03:04:05.000Z"
    assert events[0]["status"] == "online"
    assert events[1]["file"] == FILE | {"started_at": "2026-01-02T03:04:05.678Z"}
    assert events[2]["success"] is True
    assert events[3]["changes"] == {"problem": None, "note": "x"}
    (file,) = (await FileListing(database).page(head)).files
    assert (file["state"], file["results"]) == ("completed", COMPLETED["results"])


@pytest.mark.parametrize(
    ("event_type", "fields", "message"),
    [
        ("file:finished", {}, "'file:finished' is not a durable event type"),
        ("file:progress", {}, "'file:progress' is not a durable event type"),
        ("status:update", None, "not a durable event type"),
        ("file:completed", COMPLETED | {"attempt": 0}, "attempt must be an integer from 1"),
        ("file:completed", COMPLETED | {"results": {}}, "results.chunks_created must be"),
        ("file:completed", COMPLETED | {"pages": 3}, "pages is not a field of it"),
        ("file:completed", COMPLETED | {"success": False}, "success must be true"),
        ("file:completed", COMPLETED | {"file": {**FILE, "completed_at": "now"}}, "a time like"),
        ("pipeline:online", ONLINE | {"pipeline_id": "other"}, "to another pipeline"),
        ("status:update", {"changes": {"problem": {"code": "x"}}}, "changes.problem must be null"),
    ],
)
async def test_a_faulty_event_is_refused_with_the_reason_and_nothing_is_changed(
    session: asyncpg.Connection, event_type: str, fields: object, message: str
) -> None:
    with pytest.raises(asyncpg.InvalidParameterValueError, match="breaks the contract") as refused:
        await publish(session, event_type, fields)
    assert message in str(refused.value)
    assert await session.fetchval("SELECT count(*) FROM raglive.pipelines") == 0


async def test_one_faulty_event_refuses_its_batch(session: asyncpg.Connection) -> None:
    batch = [{"type": "pipeline:online", **ONLINE}, {"type": "file:completed"}]
    with pytest.raises(asyncpg.InvalidParameterValueError, match=r"file:completed: .* must be"):
        await session.execute(
            "SELECT raglive.publish_batch('reports', $1::jsonb, 's3')", json.dumps(batch)
        )
    assert await session.fetchval("SELECT count(*) FROM raglive.events") == 0


async def test_a_listener_hears_of_a_commit_and_of_no_rollback(
    session: asyncpg.Connection, dsn: str
) -> None:
    heard: asyncio.Queue[str] = asyncio.Queue()
    listener = await asyncpg.connect(dsn)
    try:
        await listener.add_listener(
            "raglive_head", lambda *arguments: heard.put_nowait(arguments[3])
        )
        given_up = session.transaction()
        await given_up.start()
        await publish(session, "pipeline:online", ONLINE)
        await given_up.rollback()
        await publish(session, "pipeline:online", ONLINE)
        key = await session.fetchval("SELECT pipeline_key FROM raglive.pipelines")
        assert await asyncio.wait_for(heard.get(), 10) == f"{key}:1"
        assert heard.empty()
    finally:
        await listener.close()
