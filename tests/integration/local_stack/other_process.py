"""An embedded server in a process of its own, for tests that kill that process."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import psutil

PASSWORD = "correct horse"
SECONDS = 30


@dataclass
class OtherProcess:
    """The process, and what it printed when its server was ready."""

    process: asyncio.subprocess.Process
    dsn: str
    postmaster: int


@asynccontextmanager
async def serving(folder: Path, *prefix: str) -> AsyncIterator[OtherProcess]:
    """Run a server on `folder` in another process; `prefix` can start it as another user."""
    process = await spawn(folder, *prefix)
    try:
        ready = await asyncio.wait_for(_ready_line(process), SECONDS)
        yield OtherProcess(process, ready["dsn"], int(ready["postmaster"]))
    finally:
        assert process.stdin
        process.stdin.close()
        await asyncio.wait_for(process.wait(), SECONDS)


async def spawn(folder: Path, *prefix: str) -> asyncio.subprocess.Process:
    """Start such a process without waiting for its server."""
    script = Path(__file__).with_name("run_server.py")
    return await asyncio.create_subprocess_exec(
        *prefix,
        *(sys.executable, str(script), str(folder), PASSWORD),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
    )


async def execute(dsn: str, statement: str) -> str:
    """Run one statement on a connection of its own."""
    connection = await asyncpg.connect(dsn, timeout=SECONDS)
    try:
        return await connection.execute(statement)
    finally:
        await connection.close()


async def ended(pid: int) -> None:
    """Wait until a process that is not our child has ended, reaped or not."""
    async with asyncio.timeout(SECONDS):
        while _runs(pid):
            await asyncio.sleep(0.01)


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def _ready_line(process: asyncio.subprocess.Process) -> dict[str, str]:
    assert process.stdout
    while line := await process.stdout.readline():
        if line.startswith(b"{"):
            printed: dict[str, str] = json.loads(line)
            return printed
    raise AssertionError("the other process ended before its server was ready")
