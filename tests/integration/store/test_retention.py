"""What nobody needs for ever expires, and everything that remains agrees."""

from __future__ import annotations

import asyncio
import random
from uuid import UUID

import asyncpg
import pytest

from raglive.store import retention
from raglive.store.index.vector_space import active_model
from raglive.store.index.verify import find_disagreements
from raglive.store.log.event_log import EventLog, Head
from raglive.store.pool import Database
from raglive.store.registry.files import FileChanges, Registry
from raglive.store.registry.jobs import Jobs
from raglive.store.registry.pipelines import PipelineRecord
from raglive.store.retention import Retention, delete_expired
from raglive_contract.cursor import Cursor, CursorExpired, Position, resume
from raglive_contract.digest import roll
from tests.integration.store.files import complete, enqueue, failed, known, observed

RETENTION = Retention(events_days=30, audit_days=365)
MODELS = """
INSERT INTO raglive.embedding_models (provider, model, dimensions, active, next)
VALUES ('openai', 'former', 3, false, false), ('openai', 'following', 3, false, true)
"""
VECTORS = """
INSERT INTO raglive.cached_vectors (model_key, content_hash, embedding, made_at)
SELECT model_key, sha256(convert_to(age || n, 'UTF8')), '[1,2,3]', now() - age::interval
FROM raglive.embedding_models, unnest(ARRAY['1 day', '8 days']) AS age, generate_series(1, 5) AS n
"""
LEFT = """
SELECT model, count(*) FROM raglive.cached_vectors JOIN raglive.embedding_models USING (model_key)
GROUP BY model
"""
RESERVATIONS = """
INSERT INTO raglive.embedding_reservations (pipeline_key, cost, expires_at)
SELECT $1, 1, now() + due::interval FROM unnest(ARRAY['-1 second', '1 hour']) AS due
"""
AUDIT = """
INSERT INTO raglive.operator_acts (actor, action, acted_at)
SELECT 'somebody', age, now() - age::interval
FROM unnest(ARRAY['1 day', '364 days', '366 days']) AS age
"""
AGE = "UPDATE raglive.events SET appended_at = appended_at - interval '31 days' WHERE seq <= $1"
USAGE = """
INSERT INTO raglive.embedding_usage (pipeline_key, day, file_key, model, texts, tokens, cost)
SELECT pipeline_key, now()::date - ago, file_key, 'm', 1, 1, 1
FROM raglive.files, unnest(ARRAY[0, 90, 91, 92]) AS ago
"""


@pytest.mark.disagrees  # vectors are made by hand
async def test_only_data_that_may_be_needed_is_retained(
    database: Database, pipeline: PipelineRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "BATCH_ROWS", 2)
    space = await active_model(database)
    assert space is not None
    for query in (MODELS, VECTORS, AUDIT):
        await database.execute(query)
    await database.execute(RESERVATIONS, pipeline.key)
    await delete_expired(database, RETENTION)
    left = {row["model"]: row["count"] for row in await database.fetch(LEFT)}
    assert left == {space.space.model: 5, "following": 10}
    assert await database.fetchval("SELECT count(*) FROM raglive.embedding_reservations") == 1
    assert await database.fetchval("SELECT count(*) FROM raglive.operator_acts") == 2


async def test_expired_events_take_with_them_what_only_they_report(
    database: Database, pipeline: PipelineRecord
) -> None:
    jobs = Jobs(pipeline, "worker", 30)
    registry = Registry(pipeline)
    await enqueue(pipeline, "stays", "goes")
    for job in await jobs.claim(2):
        await complete(jobs, job)
    stays = await known(pipeline, "stays")
    await database.execute(USAGE)
    await registry.apply(FileChanges(changed=[(stays, observed("stays", 2))]))
    [job] = await jobs.claim(1)
    await complete(jobs, job)
    gone = FileChanges(gone=[await known(pipeline, "goes")], gone_reason="removed")
    await registry.apply(gone)
    head = await _head(database)
    snapshot = await database.fetchval("SELECT raglive.pipeline_status($1)", pipeline.key)

    await database.execute(AGE, head.seq - 1)
    assert await delete_expired(database, RETENTION) == head.seq - 1
    assert await _files(database) == {"stays": [2], "goes": [1]}, "its deletion is still in the log"
    await database.execute(AGE, head.seq)
    assert await delete_expired(database, RETENTION) == 1
    assert await _files(database) == {"stays": [2]}
    assert (await _head(database)).oldest_seq == head.seq + 1, "the log is empty"
    assert await database.fetchval("SELECT raglive.pipeline_status($1)", pipeline.key) == snapshot
    assert await database.fetchval("SELECT sum(cost) FROM raglive.embedding_usage") == 8
    merged = "SELECT count(*) FROM raglive.embedding_usage WHERE extract(day FROM day) = 1"
    assert await database.fetchval(merged) >= 2, "days of old months are merged"

    await enqueue(pipeline, "goes")
    [job] = await jobs.claim(1)
    await complete(jobs, job)
    assert await _files(database) == {"stays": [2], "goes": [1]}


async def test_log_and_cursors_hold_while_events_expire(
    database: Database, pipeline: PipelineRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two processes remove events, some of them killed, while files are processed and deleted."""
    monkeypatch.setattr(retention, "BATCH_EVENTS", 3)
    chance = random.Random(11)
    jobs = Jobs(pipeline, "worker", 30)

    async def work(step: int) -> None:
        await enqueue(pipeline, f"file {step % 5}")
        for job in await jobs.claim(2):
            if chance.random() < 0.6:
                await complete(jobs, job)
            else:
                async with jobs.ending(job, failed()):
                    pass
        if step % 3 == 0:
            victim = chance.choice(await Registry(pipeline).known())
            await Registry(pipeline).apply(FileChanges(gone=[victim], gone_reason="removed"))

    async def expire() -> None:
        query = "SELECT raglive.remove_events($1, clock_timestamp() - interval '30 days', 3)"
        async with database.connection() as connection:
            killed = connection.transaction()
            await killed.start()
            await connection.fetchval(query, pipeline.key)
            await killed.rollback()
        await delete_expired(database, RETENTION)

    for step in range(24):
        head = await _head(database)
        if head.oldest_seq < head.seq:
            await database.execute(AGE, chance.randint(head.oldest_seq, head.seq))
        await asyncio.gather(work(step), expire(), expire())
        await _assert_log_holds(database)
    assert await find_disagreements(database) == []
    assert (await _head(database)).oldest_seq > 20


async def test_publishing_does_not_wait_for_the_removal(
    database: Database, pipeline: PipelineRecord
) -> None:
    await enqueue(pipeline, "a file")
    await Registry(pipeline).apply(
        FileChanges(gone=[await known(pipeline, "a file")], gone_reason="removed")
    )
    head = await _head(database)
    await database.execute(AGE, head.seq)
    query = "SELECT raglive.remove_events($1, clock_timestamp() - interval '30 days', 100)"
    other = await asyncpg.connect(database.dsn)
    try:
        async with other.transaction():
            assert await other.fetchval(query, pipeline.key) == head.seq
            async with asyncio.timeout(10):
                await enqueue(pipeline, "another")
                await pipeline.set_problem("broken", "It is broken.")
                assert await database.fetchval(query, pipeline.key) == 0
    finally:
        await other.close(timeout=5)
    assert (await _head(database)).oldest_seq == head.seq + 1


async def _assert_log_holds(database: Database) -> None:
    head = await _head(database)
    start = await database.fetchrow("SELECT seq, digest FROM raglive.log_starts")
    assert start is not None
    events = await EventLog(database).read_after(head, 0, 10_000)
    seq, digest = start["seq"], bytes(start["digest"])
    for logged in events:
        seq, digest = seq + 1, roll(digest, UUID(logged.event["id"]), logged.seq)
        assert (logged.seq, logged.digest) == (seq, digest)
    assert (head.seq, head.digest, head.oldest_seq) == (seq, digest, start["seq"] + 1)
    for seen in range(head.seq + 1):
        outcome = resume(Cursor.of([Position(head.epoch, seen)]), head.range, [head.epoch])
        assert isinstance(outcome, CursorExpired) == (seen < start["seq"])


async def _head(database: Database) -> Head:
    [head] = await EventLog(database).heads()
    return head


async def _files(database: Database) -> dict[str, list[int]]:
    """Return the attempts of each file."""
    rows = await database.fetch(
        "SELECT name, array_agg(made.attempt ORDER BY made.attempt) AS attempts"
        " FROM raglive.files LEFT JOIN raglive.attempts AS made USING (file_key) GROUP BY name"
    )
    return {row["name"]: row["attempts"] for row in rows}
