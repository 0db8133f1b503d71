"""A pipeline is removed with everything that belongs to it, and nothing else."""

from __future__ import annotations

import pytest

from raglive.store.log.event_log import EventLog
from raglive.store.log.new_events import status_update
from raglive.store.pool import Database
from raglive.store.registry import removal
from raglive.store.registry.jobs import Jobs
from raglive.store.registry.pipelines import PipelineRecord
from raglive.store.registry.removal import find_removable, remove_pipeline
from raglive_contract.errors import ErrorCode, RagliveError
from tests.integration.store.files import complete, enqueue

TABLES = """
SELECT relname FROM pg_class
WHERE relnamespace = 'raglive'::regnamespace AND relkind = 'r' AND relname <> 'operator_acts'
"""
USAGE = """
INSERT INTO raglive.embedding_usage
SELECT pipeline_key, now()::date, file_key, 'm', 1, 1, 1 FROM raglive.files WHERE pipeline_key = $1
"""


async def rows(database: Database) -> dict[str, int]:
    """Return the number of rows of each table but the audit log."""
    names = [row["relname"] for row in await database.fetch(TABLES)]
    return {name: await database.fetchval(f"SELECT count(*) FROM raglive.{name}") for name in names}


async def processed(database: Database, pipeline: PipelineRecord) -> None:
    await enqueue(pipeline, "one", "two", "three")
    jobs = Jobs(pipeline, "worker", 30)
    for job in await jobs.claim(3):
        await complete(jobs, job)
    await pipeline.announce_offline("normal_shutdown")
    await database.execute(USAGE, pipeline.key)


async def test_nothing_of_it_is_left_even_after_a_kill(
    database: Database, pipeline: PipelineRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(removal, "BATCH_FILES", 2)
    monkeypatch.setattr(removal, "BATCH_ROWS", 2)
    await processed(database, pipeline)
    before = await rows(database)
    other = await PipelineRecord.register(database, "other", "local_files")
    await processed(database, other)
    found = await find_removable(database, "other")
    epoch = found.epoch
    assert (found.files, found.events) == (3, 8)

    async def killed(_database: Database, _query: str, *_args: object) -> None:
        raise ConnectionResetError

    with monkeypatch.context() as patched:
        patched.setattr(Database, "fetchval", killed)
        with pytest.raises(ConnectionResetError):
            await remove_pipeline(database, found)
    with pytest.raises(RagliveError, match="is being removed") as refused:
        await EventLog(database).publish("other", "local_files", [status_update({"n": 1})])
    assert (refused.value.code, refused.value.retryable) == (ErrorCode.UNAVAILABLE, True)
    with pytest.raises(RagliveError, match="run `raglive pipeline remove other` again"):
        await PipelineRecord.register(database, "other", "local_files")
    assert not await other.acquire_watch("watcher", 15, [])

    await remove_pipeline(database, await find_removable(database, "other"))
    assert await rows(database) == before
    acts = "SELECT detail ->> 'epoch' FROM raglive.operator_acts WHERE action = 'pipeline_removed'"
    assert {row[0] for row in await database.fetch(acts)} == {epoch}

    await PipelineRecord.register(database, "other", "local_files")
    heads = {it.pipeline_id: it for it in await EventLog(database).heads()}
    assert heads["other"].epoch > epoch
    assert heads["other"].seq == 0


@pytest.mark.parametrize("user", ["the watcher", "the worker", "its producer"])
async def test_a_pipeline_in_use_is_not_removed(
    database: Database, pipeline: PipelineRecord, user: str
) -> None:
    match user:
        case "the watcher":
            assert await pipeline.acquire_watch("watcher", 15, [])
        case "the worker":
            await enqueue(pipeline, "one")
            assert await Jobs(pipeline, "worker", 30).claim(1)
            await pipeline.announce_offline("normal_shutdown")
        case _:
            await pipeline.announce_online(60, "somewhere")
    before = await rows(database)
    with pytest.raises(RagliveError, match=f"in use by {user}") as refused:
        await find_removable(database, pipeline.pipeline_id)
    assert refused.value.code == ErrorCode.CONFLICT
    assert await rows(database) == before
