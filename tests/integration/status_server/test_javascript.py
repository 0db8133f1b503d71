"""The stock JavaScript client, as a web page uses it."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from raglive.store.log.event_log import EventLog
from raglive.store.pool import Database
from tests.integration.status_server.serving import (
    Serving,
    free_port,
    online,
    publish,
    serving,
    token,
    update,
)
from tests.integration.status_server.watching import LogChecker, checker_of
from tests.relay import AbortingRelay

PACKAGES = Path(__file__).parents[3] / "web" / "node_modules"
SECONDS = 20

pytestmark = pytest.mark.skipif(
    shutil.which("node") is None or not (PACKAGES / "socket.io-client").exists(),
    reason="needs Node and web/node_modules: run `make setup`",
)


class Page:
    """A running client; `printed` is its output, in order."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.printed: list[tuple[str, Any]] = []

    def of(self, kind: str) -> list[Any]:
        return [data for name, data in self.printed if name == kind]

    async def until(self, condition: Callable[[], Any]) -> Any:
        assert self._process.stdout
        async with asyncio.timeout(SECONDS):
            while not (met := condition()):
                line = await self._process.stdout.readline()
                assert line, "the client ended"
                kind, data = json.loads(line)
                self.printed.append((kind, data))
        return met

    async def printed_times(self, kind: str, times: int) -> None:
        await self.until(lambda: len(self.of(kind)) >= times)

    async def ask(self, request: str, times: int) -> list[Any]:
        """Send a request many times at once; return all answers."""
        assert self._process.stdin
        before = len(self.of("answers"))
        self._process.stdin.write(json.dumps([request, times]).encode() + b"\n")
        answers: list[list[Any]] = await self.until(lambda: self.of("answers")[before:])
        return answers[0]

    def durable(self) -> list[dict[str, Any]]:
        return [data for _, data in self.printed if isinstance(data, dict) and "seq" in data]


@asynccontextmanager
async def page(url: str, **options: Any) -> AsyncIterator[Page]:
    options = {"auth": {"token": token()}} | options
    command = ["node", str(Path(__file__).with_name("viewer.mjs")), f"{PACKAGES}/", url]
    process = await asyncio.create_subprocess_exec(
        *command,
        json.dumps(options),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        limit=2**24,
    )
    try:
        yield Page(process)
    finally:
        assert process.stdin
        process.stdin.close()
        await asyncio.wait_for(process.wait(), SECONDS)


@pytest.mark.parametrize("batch", [False, True], ids=["single", "batch"])
async def test_it_upgrades_and_reconnects_without_missing_an_event(
    server: Serving, database: Database, batch: bool
) -> None:
    await publish(database, [online()])
    async with (
        publishing_on(database),
        AbortingRelay(server.url) as relay,
        page(relay.dsn, batch=batch) as client,
    ):
        await client.until(lambda: "websocket" in client.of("upgrade"))
        assert client.of("open") == ["polling"]
        for drops in (1, 2):
            await client.printed_times("status:update", 30 * drops)
            await relay.cut()
            await client.printed_times("disconnect", drops)
            await relay.restore()
            await client.printed_times("answer", drops + 1)
        [head] = await EventLog(database).heads()
        await client.until(lambda: client.durable()[-1]["seq"] >= head.seq)
    checker = LogChecker(head.epoch, 0, b"")
    for event in client.durable()[: head.seq]:
        checker.see(event)
    assert (checker.seq, checker.digest) == (head.seq, head.digest)


@asynccontextmanager
async def publishing_on(database: Database) -> AsyncIterator[None]:
    enough = asyncio.Event()

    async def run() -> None:
        while not enough.is_set():
            await publish(database, [update(), update()])
            await asyncio.sleep(0.005)

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(run())
        yield
        enough.set()


async def test_polling_handles_a_burst_of_requests(server: Serving, database: Database) -> None:
    await publish(database, [online()])
    async with page(server.url, transports=["polling"]) as client:
        await client.until(lambda: client.of("answer"))
        answers = await client.ask("ping", 100)
        assert len(answers) == 100
        assert all(isinstance(answer, int) for answer in answers)
        await publish(database, [update() for _ in range(50)])
        await client.until(lambda: len(client.durable()) == 51)
        assert not client.of("disconnect")


@pytest.mark.parametrize("transport", ["polling", "websocket"])
async def test_a_refusal_reaches_the_page(server: Serving, transport: str) -> None:
    expired = {"token": token(ttl=-5)}
    async with page(server.url, transports=[transport], auth=expired) as client:
        [refused] = await client.until(lambda: client.of("refused"))
        assert refused["data"]["error"]["code"] == "token_expired"
        assert refused["message"] == refused["data"]["error"]["message"]


async def test_it_reconnects_after_a_restart_of_the_server(database: Database) -> None:
    port = free_port()
    await publish(database, [online()])
    async with page(f"http://127.0.0.1:{port}") as client:
        async with serving(database, port=port):
            await client.until(lambda: client.of("answer"))
        await client.until(lambda: client.of("server:draining") and client.of("disconnect"))
        assert client.of("disconnect")[0] in {"transport close", "transport error"}
        await publish(database, [update()])
        async with serving(database, port=port):
            await client.until(lambda: len(client.of("answer")) == 2)
            second = client.of("answer")[1]["pipelines"][0]
            assert (second["recovered"], second["replayed"]) == (True, 1)
            assert checker_of(second).seq == 2
