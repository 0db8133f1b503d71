"""A pipeline that raglive itself runs takes nothing from a reporter, on either transport."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from raglive.store.pool import Database
from raglive.store.registry.pipelines import PipelineRecord
from raglive_reporter import AsyncReporter
from raglive_reporter.sql import SqlTransport
from tests.integration.reporter.conftest import ReadLog, Settings
from tests.integration.reporter.status_process import PIPELINE, StatusProcess


@pytest.fixture
async def managed(database: Database) -> AsyncIterator[PipelineRecord]:
    """A pipeline whose watcher has run and ended."""
    record = await PipelineRecord.register(database, PIPELINE, "web_crawler")
    assert await record.acquire_watch("watcher", 60, [])
    await record.release_watch("watcher")
    yield record
    shown = "SELECT 1 FROM raglive.pipelines WHERE last_heartbeat IS NOT NULL"
    assert await database.fetchval(shown) is None


@pytest.mark.parametrize("way", ["http", "sql"])
@pytest.mark.usefixtures("managed")
async def test_reports_become_dead_letters(
    *,
    way: str,
    server: StatusProcess,
    settings: Settings,
    read_log: ReadLog,
    dsn: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    if way == "sql":
        settings = settings | {"transport": SqlTransport(dsn)}
        del settings["token"]
    else:
        settings = settings | {"url": server.url}
    async with AsyncReporter(PIPELINE, **settings) as reporter:
        async with reporter.file("a"):
            pass
        assert await reporter.flush(60) == 0
        letters = reporter.dead_letters()
    assert {letter.code for letter in letters} == {"pipeline_managed"}
    assert letters[0].message == (
        f"raglive itself runs the pipeline '{PIPELINE}': publish under another pipeline_id"
    )
    assert "progress not shown: raglive itself runs" in caplog.text
    assert await read_log() == []


@pytest.mark.parametrize(
    "call",
    [
        """publish('{}', 'status:update', '{{"changes": {{}}}}')""",
        """publish_batch('{}', '[]')""",
        """show('{}', '[]')""",
        """heartbeat('{}', 1, 1, 0)""",
    ],
)
async def test_sql_functions_refuse_it(call: str, managed: PipelineRecord, dsn: str) -> None:
    session = await asyncpg.connect(dsn)
    try:
        with pytest.raises(asyncpg.ObjectNotInPrerequisiteStateError, match="raglive itself runs"):
            await session.execute(f"SELECT raglive.{call.format(managed.pipeline_id)}")
    finally:
        await session.close()
