"""The whole product as a new user starts it, with a server that is killed."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.acceptance.documents import pdf, write_text
from tests.acceptance.installation import Installation, installed
from tests.acceptance.page import dashboard
from tests.acceptance.recorder import recorded

PIPELINE = "local-files-pipeline"
PIPELINE_PAGE = f"/pipeline/?id={PIPELINE}"

pytestmark = pytest.mark.timeout(240)


async def test_files_are_live_through_the_death_of_the_status_server(tmp_path: Path) -> None:
    folder = tmp_path / "documents"
    folder.mkdir()
    write_text(folder, 1)
    async with installed(folder, tmp_path / "data") as raglive:
        token = (await raglive.cli("token", "--role", "viewer"))[1].strip()
        async with (
            recorded(raglive.status_url, token, "/local_files") as events,
            dashboard(raglive.printed_address) as page,
        ):
            assert page.page.url == f"{raglive.dashboard_url}/", "the secret is in the address"
            await page.expect_connection("live", within_seconds=15)
            assert page.page.url == f"{raglive.dashboard_url}/", "the secret came back"
            again = (await raglive.cli("open"))[1].strip()
            assert again.startswith(f"{raglive.dashboard_url}/#sign-in=")
            assert again != raglive.printed_address, "a secret works twice"
            await page.page.goto(raglive.dashboard_url + PIPELINE_PAGE)
            await page.expect_connection("live", within_seconds=15)
            await page.expect_file("glacier-1.txt", "completed", within_seconds=15)

            (folder / "manual.pdf").write_bytes(pdf("The turbine hall smells of cinnamon."))
            await page.expect_file("manual.pdf", "completed", within_seconds=10)
            [best, *_] = await raglive.json("search", "What does the turbine hall smell of?")
            assert best["file"]["name"] == "manual.pdf"
            assert "cinnamon" in best["content"]

            server = raglive.child("server")
            with occupied(raglive.ports["SOCKET_IO_PORT"], server):
                await page.expect_connection("polling", within_seconds=3)
                for number in range(10, 16):
                    write_text(folder, number)
                await page.expect_file("tannery-15.txt", "completed", within_seconds=15)
            await page.expect_connection("live", within_seconds=40)
            write_text(folder, 20)
            await page.expect_file("harbour-20.txt", "completed", within_seconds=15)

            log = await raglive.events()
            await raglive.until(lambda: len(events) >= len(log), within_seconds=20)
            await page.expect_seq(PIPELINE, len(log), within_seconds=20)
            seen = (await page.pipelines())[PIPELINE]
            assert events == log
            assert page.errors == []
            status = await raglive.status()
            assert seen["cursor"] == status["next_cursor"] == log[-1]["cursor"]
            assert seen["digest"] == status["pipelines"][0]["status_details"]["digest"]
            assert [event["seq"] for event in log] == list(range(1, len(log) + 1))
        assert await raglive.json("verify") == {"ok": True, "problems": []}
        await expect_no_second_start(raglive)
        everything = raglive.children()
        assert await raglive.stop(signal.SIGINT) == 0
        assert not [process for process in everything if process.is_running()]


@contextmanager
def occupied(port: int, holder: psutil.Process) -> Iterator[None]:
    """Kill the listener of a port, and occupy the port so that it cannot restart."""
    with socket.socket() as squatter:
        squatter.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        holder.kill()
        holder.wait(10)
        squatter.bind(("127.0.0.1", port))
        yield


async def expect_no_second_start(raglive: Installation) -> None:
    other = Installation(raglive.folder, raglive.data_dir)
    status, _, errors = await other.cli("up", str(raglive.folder))
    assert status == 1
    assert str(raglive.data_dir) in errors
    assert str(raglive.process.pid) in errors
