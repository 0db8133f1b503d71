"""Wrong input: the message says what is wrong, where, and what to do; nothing is lost."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path

import asyncpg
import httpx
import pytest

from tests.acceptance.documents import write_text
from tests.acceptance.installation import Installation, installed, running

pytestmark = pytest.mark.timeout(180)

DRIVE_WITHOUT_CREDENTIALS = {
    "RAG_WATCH_FOLDER_ID": "1h9RUo5QEGychpOlLNZAASCL8vp4cazTE",
    "GOOGLE_DRIVE_CREDENTIALS_JSON": "{}",
}


async def refusal(installation: Installation, *arguments: str) -> str:
    """Run a command that must fail; return its error message."""
    status, _, errors = await installation.cli(*arguments)
    assert status != 0
    assert "Traceback" not in errors
    message: str = json.loads(errors.splitlines()[-1])["error"]["message"]
    return message


@pytest.fixture
def stopped(tmp_path: Path) -> Installation:
    folder = tmp_path / "documents"
    folder.mkdir()
    return Installation(folder, tmp_path / "data")


async def test_a_folder_that_does_not_exist(stopped: Installation) -> None:
    status, _, errors = await stopped.cli("up", "/no/such/folder")
    assert (status, "/no/such/folder does not exist" in errors) == (2, True)


@pytest.mark.parametrize(
    "setting", ["SOCKET_IO_PORT", "RAGLIVE_DASHBOARD_PORT", "RAGLIVE_LOCAL_FILES_PORT"]
)
async def test_a_port_in_use(stopped: Installation, setting: str) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        stopped.environment[setting] = str(port)
        message = await refusal(stopped, "up", str(stopped.folder))
    assert str(port) in message
    assert setting in message


async def test_a_misspelt_setting(stopped: Installation) -> None:
    stopped.environment["RAGLIVE_DASHBORD_PORT"] = "3000"
    message = await refusal(stopped, "up", str(stopped.folder))
    assert "RAGLIVE_DASHBORD_PORT" in message
    assert "RAGLIVE_DASHBOARD_PORT" in message


async def test_a_database_that_does_not_answer(stopped: Installation) -> None:
    stopped.environment["DATABASE_URL"] = "postgresql://someone:s3cret@127.0.0.1:1/rag"
    message = await refusal(stopped, "up", str(stopped.folder))
    assert "127.0.0.1:1/rag" in message
    assert "s3cret" not in message
    stopped.environment["DATABASE_URL"] = "not an address"
    assert "DATABASE_URL" in await refusal(stopped, "up", str(stopped.folder))


async def test_a_database_that_cannot_be_used(stopped: Installation, dsn: str) -> None:
    owner = await asyncpg.connect(dsn)
    name = dsn.rpartition("/")[2]
    await owner.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    await owner.close()
    stopped.environment["DATABASE_URL"] = dsn
    status, _, errors = await stopped.cli("up", str(stopped.folder))
    assert status == 2
    assert "is in read-only mode" in json.loads(errors)["error"]["message"]


async def test_nothing_runs(stopped: Installation) -> None:
    assert "raglive up" in await refusal(stopped, "search", "anything")


async def test_a_provider_that_refuses_the_key(stopped: Installation) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = b'{"error": {"message": "Incorrect API key"}}'
        writer.write(
            b"HTTP/1.1 401 Unauthorized\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body)
        )
        await writer.drain()
        writer.close()

    provider = await asyncio.start_server(refuse, "127.0.0.1", 0)
    port = provider.sockets[0].getsockname()[1]
    stopped.environment |= {
        "EMBEDDING_PROVIDER": "openai",
        "EMBEDDING_BASE_URL": f"http://127.0.0.1:{port}/v1",
        "EMBEDDING_API_KEY": "sk-wrong-key",
    }
    async with provider, running(stopped, "local files failed"):
        message = "".join(stopped.output)
        assert "EMBEDDING_API_KEY" in message
        assert "sk-wrong-key" not in message


async def test_a_running_product(tmp_path: Path) -> None:
    folder = tmp_path / "documents"
    folder.mkdir()
    for number in range(3):
        write_text(folder, number)
    settings = DRIVE_WITHOUT_CREDENTIALS | {"CHECK_INTERVAL": "1"}
    async with installed(folder, tmp_path / "data", **settings) as raglive:
        assert any("✗ google drive failed" in line for line in raglive.output)
        await raglive.events()
        await cursors_of_another_log_are_refused(raglive)
        await unknown_pipelines_are_named(raglive)
        await a_folder_that_disappears_keeps_its_files(raglive, tmp_path / "elsewhere")


async def cursors_of_another_log_are_refused(raglive: Installation) -> None:
    foreign = "00000000deadbeef.0000000000000001"
    async with httpx.AsyncClient(base_url=raglive.dashboard_url, headers=raglive.headers) as client:
        answer = await client.get("/api/rag-status", params={"cursor": foreign})
        assert (answer.status_code, answer.json()["error"]["code"]) == (410, "cursor_expired")
        answer = await client.get("/api/rag-status", params={"cursor": "rubbish"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "cursor_invalid")
    assert "-1" in await refusal(raglive, "tail", "--json", "--cursor", foreign)


async def unknown_pipelines_are_named(raglive: Installation) -> None:
    for command in (("status",), ("tail",), ("retry",), ("search", "hotels")):
        message = await refusal(raglive, *command, "--pipeline", "nope")
        assert "no pipeline nope. There are: local-files-pipeline." in message
    remove = ("pipeline", "remove", "local-files-pipeline", "--yes")
    assert "in use by" in await refusal(raglive, *remove)


async def a_folder_that_disappears_keeps_its_files(raglive: Installation, elsewhere: Path) -> None:
    before = await raglive.events()
    raglive.folder.rename(elsewhere)
    await problem(raglive, "watch_location_unavailable")
    [pipeline] = (await raglive.status())["pipelines"]
    assert pipeline["status_details"]["counts"]["completed"] == 3
    assert await raglive.json("search", "the glacier was inspected")
    elsewhere.rename(raglive.folder)
    await problem(raglive, None)
    write_text(raglive.folder, 7)
    events = await raglive.events()
    types = [event["type"] for event in events[len(before) :]]
    assert "file:deleted" not in types
    assert types.count("file:completed") == 1


async def problem(raglive: Installation, code: str | None) -> None:
    """Wait until the pipeline reports a problem of this code, or none."""
    async with asyncio.timeout(30):
        while True:
            [pipeline] = (await raglive.status())["pipelines"]
            found = pipeline["status_details"].get("problem")
            if (found and found["code"]) == code:
                return
            await asyncio.sleep(0.05)
