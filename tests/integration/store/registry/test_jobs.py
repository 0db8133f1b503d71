from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import pytest

from raglive.store.index.verify import find_disagreements
from raglive.store.log.event_log import EventLog
from raglive.store.pool import Database
from raglive.store.registry.files import FileChanges, Registry
from raglive.store.registry.jobs import Job, Jobs, LeaseLost
from raglive.store.registry.pipelines import PipelineRecord
from raglive_contract.model import rfc3339
from tests.integration.store.files import (
    COMPLETED,
    chunks,
    complete,
    enqueue,
    failed,
    known,
    observed,
)

LEASE = 30.0


async def attempts(database: Database, name: str) -> list[tuple[int, str]]:
    rows = await database.fetch(
        "SELECT made.attempt, outcome FROM raglive.attempts AS made"
        " JOIN raglive.files USING (file_key) WHERE name = $1 ORDER BY 1",
        name,
    )
    return [(row["attempt"], row["outcome"]) for row in rows]


async def state(database: Database, name: str) -> str:
    found: str = await database.fetchval("SELECT state FROM raglive.files WHERE name = $1", name)
    return found


async def event_types(database: Database) -> list[str]:
    (head,) = await EventLog(database).heads()
    return [it.event["type"] for it in await EventLog(database).read_after(head, 0, 1000)]


async def chunk_count(database: Database) -> int:
    found: int = await database.fetchval("SELECT count(*) FROM raglive.chunks")
    return found


async def test_concurrent_workers_never_claim_the_same_file(
    database: Database, pipeline: PipelineRecord
) -> None:
    names = [f"{n}.txt" for n in range(60)]
    await enqueue(pipeline, *names)
    taken: Counter[str] = Counter()

    async def work(owner: str) -> None:
        jobs = Jobs(pipeline, owner, LEASE)
        while claimed := await jobs.claim(3):
            for job in claimed:
                taken[job.name] += 1
                await complete(jobs, job)

    await asyncio.gather(*(work(f"worker {n}") for n in range(4)))
    assert taken == Counter(names)
    assert await chunk_count(database) == 2 * len(names)
    assert await find_disagreements(database) == []


async def test_files_are_claimed_in_order_and_not_before_they_are_due(
    database: Database, pipeline: PipelineRecord
) -> None:
    jobs = Jobs(pipeline, "worker", LEASE)
    assert await jobs.next_due_seconds() is None
    await enqueue(pipeline, "first")
    await enqueue(pipeline, "second")
    (first,) = await jobs.claim(1)
    assert first.name == "first"
    later = rfc3339(datetime.now(UTC) + timedelta(minutes=5))
    async with jobs.ending(first, failed(next_attempt_at=later)):
        pass
    (second,) = await jobs.claim(5)
    assert second.name == "second"
    due = await jobs.next_due_seconds()
    assert due is not None
    assert 280 < due <= 300
    assert await state(database, "first") == "queued"


async def test_an_expired_lease_is_taken_over_and_its_result_discarded(
    database: Database, pipeline: PipelineRecord
) -> None:
    await enqueue(pipeline, "a")
    stalled, other = Jobs(pipeline, "stalled", 0.0), Jobs(pipeline, "other", LEASE)
    (lost,) = await stalled.claim(1)
    assert await other.release_lost([]) == 1
    assert await stalled.renew_leases([(lost.file_key, "embedding", 0.5)]) == set()
    (taken,) = await other.claim(1)
    assert (lost.attempt, taken.attempt) == (1, 2)
    with pytest.raises(LeaseLost):
        await complete(stalled, lost)
    assert await chunk_count(database) == 0
    await complete(other, taken)
    assert await attempts(database, "a") == [(1, "lost"), (2, "completed")]
    assert await find_disagreements(database) == []


async def test_a_renewed_lease_is_not_taken_over(
    database: Database, pipeline: PipelineRecord
) -> None:
    await enqueue(pipeline, "a", "b")
    jobs, other = Jobs(pipeline, "worker", LEASE), Jobs(pipeline, "other", LEASE)
    short = Jobs(pipeline, "worker", 0.0)
    one, two = await short.claim(2)
    kept = await jobs.renew_leases([(one.file_key, "embedding", 0.5)])
    assert kept == {one.file_key}
    assert await other.renew_leases([(one.file_key, "embedding", 0.9)]) == set()
    assert await other.release_lost([]) == 1
    assert [job.name for job in await other.claim(5)] == [two.name]
    row = await database.fetchrow(
        "SELECT stage, progress FROM raglive.files WHERE file_key = $1", one.file_key
    )
    assert row is not None
    assert (row["stage"], row["progress"]) == ("embedding", 0.5)


async def test_files_of_a_dead_worker_are_requeued_at_once(
    database: Database, pipeline: PipelineRecord
) -> None:
    await enqueue(pipeline, "a", "b")
    dead, other = Jobs(pipeline, "dead", LEASE), Jobs(pipeline, "other", LEASE)
    await dead.claim(1)
    await other.claim(1)
    assert sorted(await other.lease_owners()) == ["dead", "other"]
    assert await other.release_lost(["dead"]) == 1
    assert await other.lease_owners() == ["other"]


async def test_an_edit_while_it_is_processed_is_processed_again(
    database: Database, pipeline: PipelineRecord
) -> None:
    await enqueue(pipeline, "a")
    jobs = Jobs(pipeline, "worker", LEASE)
    (first,) = await jobs.claim(1)
    edit = FileChanges(changed=[(await known(pipeline, "a"), observed("a", version=2))])
    await Registry(pipeline).apply(edit)
    assert await state(database, "a") == "processing"
    await complete(jobs, first, chunks("old"))
    assert await state(database, "a") == "queued"
    (second,) = await jobs.claim(1)
    assert (second.attempt, second.tries, second.source) == (2, 1, {"version": 2})
    await complete(jobs, second, chunks("new"))
    assert await state(database, "a") == "completed"
    assert await attempts(database, "a") == [(1, "completed"), (2, "completed")]
    assert await jobs.claim(1) == []


async def test_a_failure_of_an_older_version_does_not_delay_the_newer(
    database: Database, pipeline: PipelineRecord
) -> None:
    await enqueue(pipeline, "a")
    jobs = Jobs(pipeline, "worker", LEASE)
    (first,) = await jobs.claim(1)
    edit = FileChanges(changed=[(await known(pipeline, "a"), observed("a", version=2))])
    await Registry(pipeline).apply(edit)
    later = rfc3339(datetime.now(UTC) + timedelta(hours=1))
    async with jobs.ending(first, failed(next_attempt_at=later)):
        pass
    (second,) = await jobs.claim(1)
    assert second.source == {"version": 2}


async def test_a_file_that_is_deleted_while_it_is_processed_stays_deleted(
    database: Database, pipeline: PipelineRecord
) -> None:
    await enqueue(pipeline, "a")
    jobs = Jobs(pipeline, "worker", LEASE)
    (job,) = await jobs.claim(1)
    await Registry(pipeline).apply(FileChanges(gone=[await known(pipeline, "a")]))
    assert await jobs.renew_leases([(job.file_key, "embedding", 0.5)]) == set()
    with pytest.raises(LeaseLost):
        await complete(jobs, job)
    await jobs.requeue(job, 0)
    assert await state(database, "a") == "deleted"
    assert await attempts(database, "a") == [(1, "cancelled")]
    assert await chunk_count(database) == 0
    assert (await event_types(database))[-1] == "file:deleted"

    await enqueue(pipeline, "a")
    (again,) = await jobs.claim(1)
    assert (again.file_key, again.attempt) == (job.file_key, 2)
    await complete(jobs, again)
    assert await find_disagreements(database) == []


async def test_a_requeued_file_does_not_lose_an_attempt(
    database: Database, pipeline: PipelineRecord
) -> None:
    await enqueue(pipeline, "a")
    jobs = Jobs(pipeline, "worker", LEASE)
    (job,) = await jobs.claim(1)
    await jobs.requeue(job, 0)
    await jobs.requeue(job, 0)
    (again,) = await jobs.claim(1)
    assert (again.attempt, again.tries) == (2, 1)
    assert await attempts(database, "a") == [(1, "cancelled"), (2, "running")]
    types = ["status:update", "file:processing", "status:update", "file:processing"]
    assert await event_types(database) == types


async def test_a_retry_erases_no_diagnosis(database: Database, pipeline: PipelineRecord) -> None:
    await enqueue(pipeline, "a")
    jobs = Jobs(pipeline, "worker", LEASE)
    for _ in range(2):
        (job,) = await jobs.claim(1)
        async with jobs.ending(job, failed(next_attempt_at=rfc3339(datetime.now(UTC)))):
            pass
    (job,) = await jobs.claim(1)
    assert job.tries == 3
    await complete(jobs, job)
    assert await attempts(database, "a") == [(1, "failed"), (2, "failed"), (3, "completed")]
    rows = await database.fetch(
        "SELECT error ->> 'code' AS code FROM raglive.attempts ORDER BY attempt"
    )
    assert [row["code"] for row in rows] == ["broken", "broken", None]


async def test_a_rolled_back_ending_changes_nothing(
    database: Database, pipeline: PipelineRecord
) -> None:
    await enqueue(pipeline, "a")
    jobs = Jobs(pipeline, "worker", LEASE)
    (job,) = await jobs.claim(1)
    with suppress(ZeroDivisionError):
        async with jobs.ending(job, COMPLETED) as connection:
            await connection.execute("UPDATE raglive.files SET title = 'x'")
            _ = 1 / 0
    assert await state(database, "a") == "processing"
    await complete(jobs, job)
    assert await find_disagreements(database) == []


async def test_watcher_and_workers_never_deadlock(
    database: Database, pipeline: PipelineRecord
) -> None:
    """Files are renamed, edited, removed and added while workers claim, renew and end attempts."""
    names = [f"{n:02}.txt" for n in range(24)]
    await enqueue(pipeline, *names)
    watching = asyncio.Event()

    async def work(jobs: Jobs) -> None:
        while not watching.is_set() or await jobs.next_due_seconds() is not None:
            claimed = await jobs.claim(4)
            held = sorted(claimed, key=lambda job: -job.file_key)
            await asyncio.gather(
                jobs.renew_leases([(job.file_key, "embedding", 0.5) for job in held]),
                *(_end(jobs, job) for job in claimed),
            )

    async def watch() -> None:
        registry = Registry(pipeline)
        for turn in range(25):
            seen = sorted(await registry.known(), key=lambda file: (file.file_key * 7) % 11)
            third = len(seen) // 3
            await registry.apply(
                FileChanges(
                    new=[observed(f"new {turn} {n}") for n in range(3)],
                    moved=[(file, observed(file.name)) for file in seen[:third]],
                    changed=[(file, observed(file.name, turn)) for file in seen[third:-2]],
                    gone=seen[-2:],
                )
            )
        watching.set()

    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        tasks.create_task(watch())
        for n in range(3):
            tasks.create_task(work(Jobs(pipeline, f"worker {n}", LEASE)))
    assert await find_disagreements(database) == []


async def _end(jobs: Jobs, job: Job) -> None:
    with suppress(LeaseLost):
        await complete(jobs, job)
