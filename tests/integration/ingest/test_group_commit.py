from __future__ import annotations

import asyncio

import pytest

from raglive.ingest.group_commit import CompletedAttempt, GroupCommit
from raglive.ingest.progress import AttemptProgress
from raglive.store.index.documents import Document
from raglive.store.index.vector_space import choose_vector_space
from raglive.store.index.verify import find_disagreements
from raglive.store.pool import Database
from raglive.store.registry.jobs import Job, Jobs, LeaseLost
from raglive.store.registry.pipelines import PipelineRecord
from tests.conftest import VECTOR_SPACE
from tests.integration.store.files import RESULTS, chunks, enqueue


def completed(job: Job, text: str | None = None) -> CompletedAttempt:
    document = Document(job.file_key, chunks(text or job.name), title=job.name)
    return CompletedAttempt(AttemptProgress(job), RESULTS, document)


async def states(database: Database) -> dict[str, str]:
    rows = await database.fetch("SELECT name, state FROM raglive.files")
    return {row["name"]: row["state"] for row in rows}


async def test_documents_that_complete_together_are_stored_together(
    database: Database, pipeline: PipelineRecord
) -> None:
    names = [f"{n:02}.txt" for n in range(20)]
    await enqueue(pipeline, *names)
    jobs = Jobs(pipeline, "worker", 60)
    claimed = await jobs.claim(len(names))
    async with GroupCommit(
        jobs, await choose_vector_space(pipeline.database, VECTOR_SPACE)
    ) as storing:
        await asyncio.gather(*(storing.store(completed(job)) for job in claimed))
    assert await states(database) == dict.fromkeys(names, "completed")
    commits = "SELECT count(DISTINCT xmin::text) FROM raglive.events WHERE type = 'file:completed'"
    assert await database.fetchval(commits) < len(names)
    assert await find_disagreements(database) == []


async def test_a_document_that_cannot_be_stored_does_not_block_others(
    database: Database, pipeline: PipelineRecord
) -> None:
    await enqueue(pipeline, "good", "taken", "bad", "fine")
    jobs = Jobs(pipeline, "worker", 60)
    claimed = {job.name: job for job in await jobs.claim(4)}
    await jobs.requeue(claimed["taken"], 60)
    async with GroupCommit(
        jobs, await choose_vector_space(pipeline.database, VECTOR_SPACE)
    ) as storing:
        texts = {"bad": "no \x00 in Postgres"}
        stored = await asyncio.gather(
            *(storing.store(completed(job, texts.get(name))) for name, job in claimed.items()),
            return_exceptions=True,
        )
    outcome = dict(zip(claimed, stored, strict=True))
    assert outcome["good"] is None
    assert outcome["fine"] is None
    assert isinstance(outcome["taken"], LeaseLost)
    assert "0x00" in str(outcome["bad"])
    assert await states(database) == {
        "good": "completed",
        "fine": "completed",
        "taken": "queued",
        "bad": "processing",
    }
    assert await find_disagreements(database) == []


async def test_closing_lets_go_of_who_waits(pipeline: PipelineRecord) -> None:
    await enqueue(pipeline, "a")
    jobs = Jobs(pipeline, "worker", 60)
    (job,) = await jobs.claim(1)
    storing = GroupCommit(jobs, await choose_vector_space(pipeline.database, VECTOR_SPACE))
    waiting = asyncio.create_task(storing.store(completed(job)))
    await asyncio.sleep(0)
    await storing.close()
    with pytest.raises(asyncio.CancelledError):
        await waiting
