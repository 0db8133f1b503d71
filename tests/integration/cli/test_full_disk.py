"""`raglive up` says when the disk of its data is full, and when there is space again."""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from raglive.cli import up_display
from raglive.cli.up_display import UpDisplay

pytestmark = pytest.mark.optional  # mounts a small file system


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "raglive-test", str(disk)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("a file system cannot be mounted here")
    yield disk
    subprocess.run(["umount", "--lazy", str(disk)], check=True)


async def until_printed(capsys: pytest.CaptureFixture[str], text: str) -> str:
    printed = ""
    async with asyncio.timeout(10):
        while text not in printed:
            await asyncio.sleep(0.02)
            printed += capsys.readouterr().out
    return printed


async def test_a_disk_that_fills_is_said_once(
    dsn: str, small_disk: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(up_display, "REFRESH_SECONDS", 0.02)
    monkeypatch.setattr(up_display, "FULL_BELOW_BYTES", 2**20)
    monkeypatch.setattr(up_display, "SPACE_AGAIN_BYTES", 2 * 2**20)
    display = UpDisplay(lambda: "", small_disk, small_disk, [])
    running = asyncio.create_task(display.run(dsn))
    filling = small_disk / "filling"
    filling.write_bytes(bytes(7 * 2**20 + 2**19))
    printed = await until_printed(capsys, "is full (0 MB free): files wait")
    filling.unlink()
    printed += await until_printed(capsys, "has space again")
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert printed.count("is full") == 1
