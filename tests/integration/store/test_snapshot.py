from __future__ import annotations

import asyncio

from raglive.store.log.event_log import EventLog, LoggedEvent
from raglive.store.log.pipeline_status import PipelineReads
from raglive.store.pool import Database
from raglive.store.registry.jobs import Jobs
from raglive.store.registry.pipelines import PipelineRecord
from raglive_contract.cursor import parse_cursor
from raglive_contract.snapshot import PipelineStatus
from raglive_contract.wire import WirePipelineStatus

from .files import complete, enqueue, failed


async def test_a_new_pipeline_has_a_complete_status(
    database: Database, pipeline: PipelineRecord
) -> None:
    snapshot = await PipelineReads(database).snapshot(pipeline.key)
    status = PipelineStatus.model_validate(snapshot)
    assert (status.status, status.digest, status.counts.queued) == ("offline", "", 0)
    assert sum(place.seq for place in parse_cursor(status.cursor).positions.values()) == 0


async def test_a_snapshot_is_exact_at_its_cursor_with_concurrent_writers(
    database: Database, pipeline: PipelineRecord
) -> None:
    await pipeline.announce_online(60, "/watched")
    await enqueue(pipeline, *(f"{n}.txt" for n in range(60)))
    ended = asyncio.Event()
    snapshots: list[WirePipelineStatus] = []

    async def work(owner: str) -> None:
        jobs = Jobs(pipeline, owner, 60)
        while claimed := await jobs.claim(2):
            for number, job in enumerate(claimed):
                if number % 2:
                    async with jobs.ending(job, failed()):
                        pass
                else:
                    await complete(jobs, job)

    async def look() -> None:
        reads = PipelineReads(database)
        while not ended.is_set():
            snapshots.append(await reads.snapshot(pipeline.key))

    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        looking = [tasks.create_task(look()) for _ in range(2)]
        await asyncio.gather(*(work(f"worker {n}") for n in range(4)))
        ended.set()
        await asyncio.gather(*looking)

    (head,) = await EventLog(database).heads()
    log = await EventLog(database).read_after(head, 0, 1000)
    assert len({snapshot["cursor"] for snapshot in snapshots}) > 10
    for snapshot in snapshots:
        assert_true_at_its_cursor(PipelineStatus.model_validate(snapshot), log)


def assert_true_at_its_cursor(status: PipelineStatus, log: list[LoggedEvent]) -> None:
    """Compare a status with the state that the events up to its cursor produce."""
    (place,) = parse_cursor(status.cursor).positions.values()
    seen = log[: place.seq]
    assert status.digest == seen[-1].digest.hex()
    last = {it.event["file"]["id"]: it.event["type"] for it in seen if "file" in it.event}
    kinds = list(last.values())
    assert {file.id for file in status.files_processing} == {
        file_id for file_id, kind in last.items() if kind == "file:processing"
    }
    assert status.counts.processing == kinds.count("file:processing")
    assert status.counts.completed == kinds.count("file:completed") == status.total_processed
    assert status.counts.failed == kinds.count("file:failed") == status.total_failed
    assert status.counts.queued == 60 - len(kinds)
    assert len(status.files_completed) == min(10, status.counts.completed)
    assert len(status.files_failed) == min(5, status.counts.failed)
    done = [it.event["file"]["id"] for it in seen if it.event["type"] == "file:completed"]
    assert {file.id for file in status.files_completed} <= set(done)


async def test_a_status_update_carries_the_status_it_leads_to(
    database: Database, pipeline: PipelineRecord
) -> None:
    await enqueue(pipeline, "a", "b")
    (head,) = await EventLog(database).heads()
    (logged,) = await EventLog(database).read_after(head, 0, 10)
    update = logged.event
    assert update["type"] == "status:update"
    status = PipelineStatus.model_validate(update["current_status"])
    assert status.counts.queued == 2
    assert status.cursor == logged.event["cursor"]
    assert status.digest == logged.digest.hex()


async def test_last_ten_and_last_five_are_the_newest_first(
    database: Database, pipeline: PipelineRecord
) -> None:
    names = [f"{n:02}" for n in range(14)]
    await enqueue(pipeline, *names)
    jobs = Jobs(pipeline, "worker", 60)
    for job in sorted(await jobs.claim(20), key=lambda job: job.name):
        if job.name < "08":
            async with jobs.ending(job, failed()):
                pass
        else:
            await complete(jobs, job)
    snapshot = await PipelineReads(database).snapshot(pipeline.key)
    status = PipelineStatus.model_validate(snapshot)
    assert [file.name for file in status.files_failed] == names[3:8][::-1]
    assert [file.name for file in status.files_completed] == names[8:][::-1]
