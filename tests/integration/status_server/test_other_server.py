"""A session that reaches another server starts again at once, with stock clients."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
import socketio
from httpx import AsyncClient

from raglive.store.pool import Database
from raglive_contract.permissions import Role
from tests.integration.status_server.serving import Serving, serving, token

SCRIPT = Path(__file__).with_name("elsewhere.mjs")
NAMESPACE = "/pipelines"
POLL = {"EIO": "4", "transport": "polling"}


@pytest.fixture
async def server(database: Database) -> AsyncIterator[Serving]:
    async with serving(database, SOCKET_IO_TIMEOUT="2") as running:  # a poll lasts one second
        yield running


@pytest.fixture
async def other(database: Database) -> AsyncIterator[Serving]:
    async with serving(database, RAGLIVE_SERVER_NAME="two") as running:
        yield running


async def test_it_is_answered_as_closed(server: Serving, other: Serving) -> None:
    async with AsyncClient() as client:
        opened = await client.get(f"{other.url}/socket.io/", params=POLL)
        sid = opened.text.split('"sid":"')[1].split('"')[0]
        assert sid.split(".")[1] == "two"
        address = f"{server.url}/socket.io/"
        poll = await client.get(address, params=POLL | {"sid": sid})
        assert (poll.status_code, poll.content) == (200, b"1\x1e?")
        message = await client.post(address, params=POLL | {"sid": sid}, content="40")
        assert message.status_code == 400, "the client must not believe that it was taken"
        unknown = await client.get(address, params=POLL | {"sid": "x" * 20})
        assert unknown.status_code == 400


async def test_python_connects_again(server: Serving, other: Serving) -> None:
    connected = asyncio.Event()
    reasons: list[str] = []
    async with aiohttp.ClientSession() as session:
        client = socketio.AsyncClient(
            http_session=session, reconnection_delay=0.1, handle_sigint=False
        )
        client.on("connect", connected.set, namespace=NAMESPACE)
        client.on("disconnect", reasons.append, namespace=NAMESPACE)
        auth = {"token": token(Role.VIEWER)}
        await client.connect(server.url, auth=auth, transports=["polling"], namespaces=[NAMESPACE])
        connected.clear()
        client.eio.base_url = client.eio.base_url.replace(server.url, other.url)
        async with asyncio.timeout(10):
            await connected.wait()
        assert reasons == [client.eio.reason.TRANSPORT_ERROR]
        await client.disconnect()


async def test_javascript_connects_again(server: Serving, other: Serving) -> None:
    if shutil.which("node") is None:
        pytest.skip("node is missing: make setup")
    port = str(urlsplit(other.url).port)
    process = await asyncio.create_subprocess_exec(
        *("node", str(SCRIPT), server.url, token(Role.VIEWER), port), stdout=asyncio.subprocess.PIPE
    )
    async with asyncio.timeout(30):
        output, _ = await process.communicate()
    assert output.decode().strip() == "transport close"
