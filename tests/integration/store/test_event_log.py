from __future__ import annotations

import asyncio
import random
from uuid import UUID

import pytest

from raglive.store.log.event_log import EventLog, Head, append_events
from raglive.store.log.new_events import status_update
from raglive.store.pool import Database
from raglive.store.registry.jobs import Jobs
from raglive.store.registry.pipelines import PipelineRecord
from raglive_contract.digest import EMPTY, roll
from raglive_contract.errors import ErrorCode, RagliveError
from raglive_contract.events import event_adapter

from .files import complete, enqueue, failed


class _RolledBack(Exception):
    """Rolls back the caller's transaction."""


async def only_head(database: Database) -> Head:
    (head,) = await EventLog(database).heads()
    return head


async def assert_gapless(database: Database) -> None:
    """Check that seqs have no gaps, digests equal Python's, and the head is the last event."""
    head = await only_head(database)
    digest = EMPTY
    events = await EventLog(database).read_after(head, 0, 100_000)
    assert [logged.seq for logged in events] == list(range(1, head.seq + 1))
    for logged in events:
        digest = roll(digest, UUID(logged.event["id"]), logged.seq)
        assert logged.digest == digest
    assert head.digest == digest


async def test_concurrent_publishers_leave_no_gap_when_some_roll_back(
    database: Database, pipeline: PipelineRecord
) -> None:
    chance = random.Random(7)
    kept: list[str] = []

    async def publish_some(worker: int) -> None:
        for number in range(30):
            events = [
                status_update({"by": worker, "number": number}) for _ in range(chance.randint(1, 4))
            ]
            gives_up = chance.random() < 0.3
            try:
                async with database.transaction() as connection:
                    await append_events(connection, pipeline.key, events)
                    if gives_up:
                        raise _RolledBack
            except _RolledBack:
                continue
            kept.extend(event["id"] for event in events)

    await asyncio.gather(*(publish_some(worker) for worker in range(8)))
    await assert_gapless(database)
    head = await only_head(database)
    logged = await EventLog(database).read_after(head, 0, 100_000)
    assert sorted(it.event["id"] for it in logged) == sorted(kept)


async def test_an_id_is_published_once(database: Database, pipeline: PipelineRecord) -> None:
    log = EventLog(database)
    events = [status_update({"n": n}) for n in range(4)]
    twice = [events[0], events[0], events[1]]
    first = await log.publish(pipeline.pipeline_id, None, twice)
    assert (first.accepted, first.duplicates, first.seq) == (2, 1, 2)
    again = await log.publish(pipeline.pipeline_id, None, events)
    assert (again.accepted, again.duplicates, again.seq) == (2, 2, 4)
    nothing = await log.publish(pipeline.pipeline_id, None, events)
    assert (nothing.accepted, nothing.cursor, nothing.digest) == (0, again.cursor, again.digest)
    await assert_gapless(database)


async def test_the_same_batch_from_two_sides_is_published_once(
    database: Database, pipeline: PipelineRecord
) -> None:
    log = EventLog(database)
    events = [status_update({"n": n}) for n in range(10)]
    sides = [log.publish(pipeline.pipeline_id, None, events) for _ in range(6)]
    done = await asyncio.gather(*sides)
    assert sorted(it.accepted for it in done) == [0, 0, 0, 0, 0, 10]
    assert {it.cursor for it in done} == {str((await only_head(database)).position)}


async def test_two_logs_do_not_touch(database: Database) -> None:
    log = EventLog(database)
    event = status_update({})
    for pipeline_id in ("one", "other"):
        done = await log.publish(pipeline_id, "s3", [event])
        assert (done.accepted, done.seq) == (1, 1)
    one, other = await log.heads()
    assert one.epoch < other.epoch
    assert one.digest == other.digest


async def test_concurrent_first_publishers_create_a_pipeline_once(database: Database) -> None:
    log = EventLog(database)
    firsts = [log.publish("new", "s3", [status_update({})]) for _ in range(8)]
    done = await asyncio.gather(*firsts)
    assert sorted(it.seq for it in done) == list(range(1, 9))
    assert len({it.cursor.partition(".")[0] for it in done}) == 1


@pytest.mark.parametrize(
    ("pipeline_id", "pipeline_type", "message"),
    [
        ("unknown", None, "name its pipeline_type"),
        ("local-files-pipeline", "s3", "is of type local_files, not s3"),
        ("not an id", "s3", "an id consists of letters"),
    ],
)
async def test_an_invalid_pipeline_is_refused(
    database: Database,
    pipeline: PipelineRecord,
    pipeline_id: str,
    pipeline_type: str | None,
    message: str,
) -> None:
    with pytest.raises(RagliveError, match=message) as refused:
        await EventLog(database).publish(pipeline_id, pipeline_type, [])
    assert refused.value.code == ErrorCode.INVALID_EVENT


async def test_every_logged_event_conforms_to_the_contract(
    database: Database, pipeline: PipelineRecord
) -> None:
    await pipeline.announce_online(60, "/watched")
    await enqueue(pipeline, "good", "bad")
    jobs = Jobs(pipeline, "worker", 30)
    good, bad = await jobs.claim(2)
    await complete(jobs, good)
    async with jobs.ending(bad, failed()):
        pass
    await pipeline.set_problem("disk_full", "The disk is full.")
    await pipeline.clear_problem()
    await pipeline.announce_offline("normal_shutdown")
    head = await only_head(database)
    events = await EventLog(database).read_after(head, 0, 100)
    for logged in events:
        assert event_adapter.validate_python(logged.event).wire() == logged.event
    assert [logged.event["type"] for logged in events] == [
        "pipeline:online",
        "status:update",
        "file:processing",
        "file:processing",
        "file:completed",
        "file:failed",
        "status:update",
        "status:update",
        "pipeline:offline",
    ]
    await assert_gapless(database)


async def test_a_removed_pipeline_is_removed_with_its_log(
    database: Database, pipeline: PipelineRecord
) -> None:
    await EventLog(database).publish("other", "local_files", [status_update({})])
    await EventLog(database).publish(pipeline.pipeline_id, None, [status_update({})])
    await database.execute(
        "DELETE FROM raglive.pipelines WHERE pipeline_id = $1", pipeline.pipeline_id
    )
    assert await database.fetchval("SELECT count(*) FROM raglive.events") == 1
