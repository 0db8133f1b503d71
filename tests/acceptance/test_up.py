"""What `raglive up` prints, and how it ends when a process cannot start."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import httpx
import psutil
import pytest

from tests.acceptance.installation import COMMAND, Installation, running

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def stopped(tmp_path: Path) -> Installation:
    folder = tmp_path / "documents"
    folder.mkdir()
    return Installation(folder, tmp_path / "data")


async def test_it_ends_when_its_pipeline_cannot_start(stopped: Installation) -> None:
    stopped.environment |= {"EMBEDDING_PROVIDER": "openai", "EMBEDDING_API_KEY": ""}
    process = await asyncio.create_subprocess_exec(
        *(*COMMAND, "up", str(stopped.folder)),
        env=stopped.environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        _, errors = await process.communicate()
    refusal = json.loads(errors.decode().splitlines()[-1])["error"]
    assert process.returncode == 2
    assert refusal["code"] == "embedding_not_configured"
    assert "local files: Set EMBEDDING_API_KEY" in refusal["message"]


async def test_processes_are_shown_and_found_sound(stopped: Installation) -> None:
    async with running(stopped):
        status, output, _ = await stopped.cli("doctor", "--json")
        findings = json.loads(output)["findings"]
        assert [one for one in findings if one["state"] == "failed"] == []
        assert status == 0
        found = "\n".join(f"{one['subject']}: {one['message']}" for one in findings)
        assert "a primary server" in found
        assert "a WebSocket answers in" in found
        assert "/api/health says" in found
        assert f"watched folder {stopped.folder}: It can be read." in found
        shown = re.findall(r"✓ (.+) ready \(process (\d+)\)", "".join(stopped.output))
        assert sorted(name for name, _ in shown) == ["dashboard", "local files", "status server"]
        mine = {child.pid for child in stopped.children()}
        assert {int(pid) for _, pid in shown} <= mine
        assert psutil.pid_exists(int(shown[0][1]))
        await flood_fills_no_log(stopped)


async def flood_fills_no_log(raglive: Installation) -> None:
    """Cause every kind of refusal 150 times on every port, with long values."""
    before = logged_bytes(raglive)
    for port in raglive.ports.values():
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=30) as client:
            for _ in range(150):
                await client.get("/health", headers={"Host": "h" * 5000})
                await client.get(
                    "/" + "p" * 20_000, headers={"Authorization": "Bearer " + "t" * 5000}
                )
                await client.post("/v1/events", json=[])
                await client.get("/socket.io/?EIO=4&transport=polling&sid=" + "s" * 5000)
        for _ in range(150):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"\0" * 5000 + b"\r\n\r\n")
            await reader.read()
            writer.close()
    lines = 150 * len(raglive.ports) * 5
    assert logged_bytes(raglive) - before < 250_000, f"{lines} refusals"


def logged_bytes(raglive: Installation) -> int:
    return sum(file.stat().st_size for file in raglive.data_dir.rglob("*.log*"))
