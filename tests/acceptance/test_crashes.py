"""Any process is killed at any time: each file is indexed once, and nothing is left over."""

from __future__ import annotations

import asyncio
import os
import random
import signal
from contextlib import suppress
from pathlib import Path

import httpx
import psutil
import pytest

from tests.acceptance.documents import write_text
from tests.acceptance.installation import Installation, installed

FILES = 40  # a round

pytestmark = pytest.mark.timeout(240)


@pytest.mark.long
async def test_any_process_is_killed(tmp_path: Path) -> None:
    """One product survives each kill in turn: another start would take most of the time."""
    folder = tmp_path / "documents"
    folder.mkdir()
    async with installed(
        folder, tmp_path / "data", RAGLIVE_LEASE_SECONDS="3", RAGLIVE_WORKERS="2"
    ) as raglive:
        for _ in range(3):
            await working(raglive)
            raglive.child("pipeline").kill()
        await expect_every_file_once(raglive)

        for _ in range(3):
            await working(raglive)
            await raglive.until(lambda: postmaster(raglive))
            os.kill(postmaster(raglive), signal.SIGKILL)
        await expect_every_file_once(raglive)

        await working(raglive)
        everything = [*raglive.children(), psutil.Process(raglive.process.pid)]
        for process in everything:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(everything, timeout=20)
        await raglive.process.wait()
        await raglive.start()
        await expect_every_file_once(raglive)

        everything = raglive.children()
        os.kill(raglive.process.pid, signal.SIGKILL)
        await raglive.process.wait()
        _, alive = await asyncio.to_thread(psutil.wait_procs, everything, timeout=20)
        assert not alive, "a killed parent left processes behind"


async def working(raglive: Installation) -> None:
    """Write files, and wait until they are in progress, so that a kill hits an arbitrary step."""
    written = len(list(raglive.folder.iterdir()))
    for number in range(written, written + FILES):
        write_text(raglive.folder, number)
    log = raglive.data_dir / "logs" / "local-files.log"
    before = log.stat().st_size if log.exists() else 0
    await raglive.until(lambda: log.exists() and log.stat().st_size > before)
    await asyncio.sleep(random.uniform(0, 0.05))


def postmaster(raglive: Installation) -> int:
    """Return the process id of the embedded database; 0 while it does not run."""
    note = raglive.data_dir / "postgres" / "cluster" / "postmaster.pid"
    with suppress(OSError, IndexError):
        pid = int(note.read_text().split()[0])
        return pid if psutil.pid_exists(pid) else 0
    return 0


async def expect_every_file_once(raglive: Installation) -> None:
    async with asyncio.timeout(90):
        while await searchable(raglive) < len(list(raglive.folder.iterdir())):
            await asyncio.sleep(0.1)
    events = await raglive.events()
    completed = [event["file"]["name"] for event in events if event["type"] == "file:completed"]
    expected = sorted(path.name for path in raglive.folder.iterdir())
    assert sorted(completed) == expected
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert await raglive.json("verify") == {"ok": True, "problems": []}


async def searchable(raglive: Installation) -> int:
    """Return the number of completed files, 0 while the dashboard does not answer."""
    with suppress(httpx.HTTPError):
        [pipeline] = (await raglive.status())["pipelines"]
        completed: int = pipeline["status_details"]["counts"]["completed"]
        return completed
    return 0
