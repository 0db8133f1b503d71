"""Several processes of one pipeline share its files, and any of them may die."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from asyncio.subprocess import Process
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from raglive.store.index.verify import find_disagreements
from raglive.store.pool import Database
from tests.integration.status_server.serving import free_port

from .ingesting import document
from .providing import provider

PROCESSES = 3
SECONDS = 60


@asynccontextmanager
async def running(folder: Path, **settings: str) -> AsyncIterator[Process]:
    """Run `raglive pipeline local-files` as on a machine of its own."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "raglive", "pipeline", "local-files", str(folder)),
        env=os.environ | settings | {"RAGLIVE_LOCAL_FILES_PORT": str(free_port())},
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.mark.timeout(180)
async def test_any_may_die_and_the_pipeline_stays_online(
    dsn: str, database: Database, tmp_path: Path
) -> None:
    folder = tmp_path / "documents"
    folder.mkdir()
    write(folder, range(40))
    async with provider() as paid:
        settings = {
            "DATABASE_URL": dsn,
            "RAGLIVE_DATA_DIR": str(tmp_path / "data"),
            "RAGLIVE_WORKERS": "1",
            "EMBEDDING_PROVIDER": "openai",
            "EMBEDDING_MODEL": "small",
            "EMBEDDING_BASE_URL": paid.url,
        }
        async with (
            running(folder, **settings) as one,
            running(folder, **settings) as two,
            running(folder, **settings) as three,
        ):
            await until(database, "SELECT count(*) = 3 FROM raglive.processes")
            write(folder, range(40, 80))
            watcher = await database.fetchval("SELECT watch_owner FROM raglive.pipelines")
            [doomed] = [it for it in (one, two, three) if f"/{it.pid}/" in watcher]
            first, last = [it for it in (one, two, three) if it is not doomed]
            doomed.kill()
            first.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(first.wait(), SECONDS) == 0
            write(folder, range(80, 100))
            await until(
                database, "SELECT count(*) = 100 FROM raglive.files WHERE state = 'completed'"
            )
            kinds = await events(database)
            assert "pipeline:offline" not in kinds
            assert kinds["file:completed"] == 100
            assert await find_disagreements(database) == []
            last.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(last.wait(), SECONDS) == 0
            assert (await events(database))["pipeline:offline"] == 1


def write(folder: Path, numbers: range) -> None:
    for number in numbers:
        (folder / f"{number}.txt").write_text(document(f"{number}", 1 + number % 3))


async def until(database: Database, question: str) -> None:
    async with asyncio.timeout(SECONDS):
        while not await database.fetchval(question):
            await asyncio.sleep(0.05)


async def events(database: Database) -> Counter[str]:
    return Counter(row["type"] for row in await database.fetch("SELECT type FROM raglive.events"))
