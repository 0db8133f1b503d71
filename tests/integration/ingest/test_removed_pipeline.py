"""A process that hung while its pipeline was removed ends, and stores nothing more."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from raglive.app.sources import run_local_files
from raglive.store.log.event_log import PipelineRemoved
from raglive.store.pool import Database
from raglive.store.registry import removal
from raglive.store.registry.jobs import Jobs
from raglive.store.registry.pipelines import PipelineRecord
from tests.integration.store.files import enqueue

from .ingesting import wired

BEGIN = "UPDATE raglive.pipelines SET is_removing = true WHERE pipeline_id = $1"


async def test_no_file_is_claimed_while_a_pipeline_is_removed(
    database: Database, pipeline: PipelineRecord
) -> None:
    await enqueue(pipeline, "one", "two")
    jobs = Jobs(pipeline, "worker", 30)
    assert len(await jobs.claim(1)) == 1
    await database.execute(BEGIN, pipeline.pipeline_id)
    assert not await jobs.claim(1)


async def test_the_process_of_a_removed_pipeline_ends(
    dsn: str, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(20):
        (tmp_path / f"{number}.txt").write_text(f"kumquat {number}")
    running = asyncio.ensure_future(
        run_local_files(wired(dsn, None), tmp_path, asyncio.get_running_loop().create_future())
    )
    async with asyncio.timeout(20):
        while not await database.fetchval("SELECT count(*) FROM raglive.chunks"):
            await asyncio.sleep(0.02)
    monkeypatch.setattr(removal, "SILENT_SECONDS", 0.0)
    await database.execute("UPDATE raglive.heads SET status = 'offline'")
    await database.execute("UPDATE raglive.pipelines SET watch_until = NULL")
    await database.execute("UPDATE raglive.files SET lease_until = now() WHERE lease_until > now()")
    found = await removal.find_removable(database, "local-files-pipeline")
    await removal.remove_pipeline(database, found)
    with pytest.raises(PipelineRemoved, match="has been removed"):
        async with asyncio.timeout(20):
            await running
    for table in ("pipelines", "files", "chunks", "events"):
        assert not await database.fetchval(f"SELECT count(*) FROM raglive.{table}"), table
