"""The documented followers start, follow, and report why they cannot."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from raglive.http_api.tokens import Tokens
from raglive.store.pool import Database
from raglive_contract.permissions import Grant, Role
from tests.integration.reporter.status_process import SECRET, StatusProcess, status_process
from tests.unit.docs.markdown import ROOT, blocks

FOLLOW_EVENTS = ROOT / "docs" / "how-to" / "follow-events.md"
MODULES = ROOT / "web" / "node_modules"
PUBLISH = (
    'SELECT raglive.publish(\'local-1\', \'file:deleted\', \'{"file": {"id": "a", "name": '
    '"a.pdf", "deleted_at": "2026-01-02T03:04:05Z"}, "reason": "removed"}\', '
    "pipeline_type => 'local_files')"
)
VIEWER = Grant(Role.VIEWER, ("*",))


@pytest.fixture
async def server(dsn: str, database: Database, tmp_path: Path) -> AsyncIterator[StatusProcess]:
    await database.execute(PUBLISH)
    async with status_process(dsn, tmp_path) as running:
        yield running


@pytest.fixture(params=["python", "js"])
def follower(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    """The command that runs the follower of a language."""
    (code,) = blocks(FOLLOW_EVENTS, request.param)
    if request.param == "python":
        (tmp_path / "follow.py").write_text(code, "utf-8")
        return [sys.executable, "follow.py"]
    node = shutil.which("node")
    if node is None or not (MODULES / "socket.io-client").exists():
        pytest.skip("Node, or the web app's modules, are not installed.")
    (tmp_path / "node_modules").symlink_to(MODULES)
    (tmp_path / "follow.mjs").write_text(code, "utf-8")
    return [node, "follow.mjs"]


async def _start(
    command: list[str], folder: Path, url: str, grant: Grant, ttl: float = 600
) -> asyncio.subprocess.Process:
    token = Tokens(SECRET).issue(grant, ttl, "tester")
    return await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env=os.environ | {"TOKEN": token, "RAGLIVE_STATUS_URL": url},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


async def test_a_follower_prints_what_happens(
    follower: list[str], server: StatusProcess, database: Database, tmp_path: Path
) -> None:
    process = await _start(follower, tmp_path, server.url, VIEWER)
    assert process.stdout is not None
    try:
        async with asyncio.timeout(60):
            assert b"local-1" in await process.stdout.readline()
            await database.execute(PUBLISH)
            while b"a.pdf" not in (line := await process.stdout.readline()):
                assert line, "the follower ended"
    finally:
        process.kill()
        await process.wait()


@pytest.mark.parametrize(
    "refused",
    [
        (VIEWER, -60, b"The token has expired"),
        (Grant(Role.VIEWER, ("another-*",)), 600, b"shows no pipeline"),
        (Grant(Role.PRODUCER, ("*",)), 600, b"role producer may not view"),
    ],
    ids=["expired", "no such pipeline", "producer"],
)
async def test_a_follower_says_why_it_sees_nothing(
    refused: tuple[Grant, float, bytes],
    follower: list[str],
    server: StatusProcess,
    tmp_path: Path,
) -> None:
    grant, ttl, reason = refused
    process = await _start(follower, tmp_path, server.url, grant, ttl)
    assert process.stderr is not None
    try:
        async with asyncio.timeout(60):
            output = b""
            while reason not in output:
                line = await process.stderr.readline()
                assert line, output
                output += line
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
