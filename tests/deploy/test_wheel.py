"""`raglive up` from the wheel alone: without Node, on each Python, as root and as another user."""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.deploy.installed import build_wheels, environment_without_node, install, pythons
from tests.integration.status_server.serving import free_port

pytestmark = pytest.mark.deploy

NOBODY = 65534
SYSTEM_PYTHON = "/usr/bin/python3"  # which every user may run
READY_SECONDS = 120


@pytest.fixture(scope="module")
def shared() -> Iterator[Path]:
    """A folder that every user may enter, unlike those of pytest."""
    with tempfile.TemporaryDirectory(prefix="raglive-wheel-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.fixture(scope="module")
def wheels(shared: Path) -> list[Path]:
    return build_wheels(shared)


@pytest.mark.parametrize(
    ("python", "user"),
    [*((python, None) for python in pythons()), (SYSTEM_PYTHON, NOBODY)],
    ids=lambda value: Path(value).name if isinstance(value, str) else value and "nobody",
)
async def test_it_indexes_and_serves_the_page(
    shared: Path, wheels: list[Path], python: str, user: int | None
) -> None:
    if user is not None and os.getuid() != 0:
        pytest.skip("only root can run programs as another user")
    programs = shared / f"venv-{Path(python).name}-{user}" / "bin"
    if not programs.exists():
        install(python, wheels, programs.parent)
    home = Path(tempfile.mkdtemp(dir=shared))
    (home / "documents").mkdir()
    (home / "documents" / "hotels.txt").write_text("Hotels in Paris are expensive in June.")
    if user is not None:
        for path in (home, *home.rglob("*")):
            os.chown(path, user, user)
    environment = environment_without_node(home)
    page = free_port()
    environment |= {
        "RAGLIVE_DASHBOARD_PORT": str(page),
        "SOCKET_IO_PORT": str(free_port()),
        "RAGLIVE_LOCAL_FILES_PORT": str(free_port()),
    }

    async def start(*words: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            str(programs / "raglive"),
            *words,
            cwd=home,
            env=environment,
            user=user,
            group=user,
            extra_groups=None if user is None else [],
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )

    up = await start("up", "documents")
    try:
        async with asyncio.timeout(READY_SECONDS), httpx.AsyncClient() as client:
            while True:
                with suppress(httpx.HTTPError):
                    answer = await client.get(f"http://127.0.0.1:{page}/")
                    if answer.status_code == 200 and "<script" in answer.text:
                        break
                assert up.returncode is None, (await up.communicate())[0]
                await asyncio.sleep(0.2)
            found = b""
            while b"hotels.txt" not in found:
                found, _ = await (await start("search", "hotels in Paris")).communicate()
    finally:
        if up.returncode is None:
            up.terminate()
        output, _ = await asyncio.wait_for(up.communicate(), 30)
    assert up.returncode == 0, output.decode()
