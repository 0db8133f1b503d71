"""Clients that do not read: they are closed soon, hold little memory, and do not delay others."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from urllib.parse import urlsplit

import orjson
import pytest
import websockets
from httpx import AsyncClient

from raglive.status_server.timeouts import Timeouts
from raglive.status_server.transport.outbound_queue import MAX_HELD_BYTES, OutboundQueue
from raglive.store.pool import Database
from tests.integration.status_server.serving import (
    Serving,
    online,
    publish,
    serving,
    token,
    update,
)
from tests.integration.status_server.watching import Viewer, checker_of, watching

NAMESPACE = "/local_files"
SECONDS = 10
LARGE = "x" * 200_000
SUBSCRIBE = f'42{NAMESPACE},1["subscribe"]'
AUTH = f"40{NAMESPACE}," + orjson.dumps({"token": token()}).decode()


@pytest.fixture
async def hasty(database: Database) -> AsyncIterator[Serving]:
    async with serving(database, timeouts=Timeouts(stalled_connection=0.4)) as running:
        yield running


@asynccontextmanager
async def unread_websocket(url: str) -> AsyncIterator[websockets.ClientConnection]:
    """A subscriber that stops reading."""
    place = f"{url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket"
    async with websockets.connect(place, sock=narrow(url), ping_interval=None) as client:
        await client.send(AUTH)
        await client.send(SUBSCRIBE)
        while not str(await client.recv()).startswith(f"43{NAMESPACE},1["):
            pass
        client.transport.pause_reading()
        try:
            yield client
        finally:
            client.transport.abort()


def narrow(url: str) -> socket.socket:
    """A connection with a small receive buffer, which fills up soon."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    parts = urlsplit(url)
    client.connect((parts.hostname, parts.port))
    client.setblocking(False)
    return client


async def wait_for_connections(server: Serving, connections: int) -> None:
    """Wait until at most these connections are open."""
    async with asyncio.timeout(SECONDS):
        while len(server.status.components.rooms) > connections:
            await asyncio.sleep(0.02)
        while len(server.status.components.sockets.eio.sockets) > connections:
            await asyncio.sleep(0.02)


async def test_a_websocket_that_is_not_read_is_aborted(hasty: Serving, database: Database) -> None:
    await publish(database, [online()])
    async with watching(hasty.url) as other, unread_websocket(hasty.url):
        await other.subscribe()
        for _ in range(60):
            await publish(database, [update(filler=LARGE)])
        await other.until(lambda: len(other.durable()) == 60)
        await wait_for_connections(hasty, 1)
        await publish(database, [update()])
        await other.until(lambda: len(other.durable()) == 61)


async def test_an_answer_that_is_not_read_is_aborted(hasty: Serving, database: Database) -> None:
    await publish(database, [online(), *(update(filler=LARGE) for _ in range(80))])
    reader, writer = await asyncio.open_connection(sock=narrow(hasty.url), limit=4096)
    async with watching(hasty.url) as other:
        await other.subscribe()
        writer.write(
            b"GET /v1/pipelines/local-files-pipeline/events?limit=80 HTTP/1.1\r\n"
            + f"Host: 127.0.0.1\r\nAuthorization: Bearer {token()}\r\n\r\n".encode()
        )
        with pytest.raises((ConnectionResetError, asyncio.IncompleteReadError)):
            async with asyncio.timeout(SECONDS):
                await slowly(reader, writer)
        await publish(database, [update()])
        await other.until(other.durable)
    writer.close()


async def slowly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Read nothing until the server closes, then the rest."""
    await reader.readexactly(1)
    writer.transport.pause_reading()  # type: ignore[attr-defined]  # it is a stream's
    while not await aborted(writer):
        await asyncio.sleep(0.05)
    writer.transport.resume_reading()  # type: ignore[attr-defined]
    await reader.readexactly(10**8)


async def aborted(writer: asyncio.StreamWriter) -> bool:
    """Check for a reset by writing, because nothing is read."""
    writer.write(b"\r\n")
    return writer.transport.is_closing()


@asynccontextmanager
async def deaf_poller(client: AsyncClient) -> AsyncIterator[dict[str, str]]:
    """A subscriber that never polls for its packets."""
    query = {"EIO": "4", "transport": "polling"}
    opened = await client.get("/socket.io/", params=query)
    query["sid"] = orjson.loads(opened.text[1:])["sid"]
    await client.post("/socket.io/", params=query, content=f"{AUTH}\x1e{SUBSCRIBE}")
    yield query


async def test_a_stalled_viewer_holds_little_and_recovers_after_reconnecting(
    database: Database,
) -> None:
    await publish(database, [online()])
    async with (
        serving(database, timeouts=Timeouts(slow_viewer=0.5)) as server,
        watching(server.url) as other,
        AsyncClient(base_url=server.url) as client,
        deaf_poller(client) as query,
    ):
        [answer] = await other.subscribe()
        for _ in range(20):
            await publish(database, [update(filler="x" * 40_000)])
            assert held(server) <= 2 * MAX_HELD_BYTES
        await other.until(lambda: len(other.durable()) == 20)
        await wait_for_connections(server, 1)
        assert (await client.get("/socket.io/", params=query)).status_code == 400
        metrics = (await client.get("/metrics")).text
        assert "raglive_slow_disconnects_total 1.0" in metrics
        async with watching(server.url) as back:
            await back.subscribe(cursor=answer["cursor"])
            checker = checker_of(answer)
            for event in back.durable():
                checker.see(event)
            assert checker.seq == 21


def has(viewer: Viewer, events: int) -> bool:
    return len(viewer.durable()) >= events


def held(server: Serving) -> int:
    """The most bytes held for one connection."""
    sessions = server.status.components.sockets.eio.sockets.values()
    queues: list[OutboundQueue] = [one.queue for one in sessions]
    return max(queue.held_bytes for queue in queues)


@pytest.mark.parametrize("batch", [False, True])
async def test_a_burst_larger_than_the_queue_reaches_everyone_in_order(
    server: Serving, database: Database, batch: bool
) -> None:
    await publish(database, [online()])
    ways = (["websocket"], ["polling"], ["polling", "websocket"])
    async with AsyncExitStack() as stack:
        viewers = [
            await stack.enter_async_context(watching(server.url, transports=way)) for way in ways
        ]
        answers = [(await viewer.subscribe(batch=batch))[0] for viewer in viewers]
        for _ in range(3):
            await publish(database, [update(filler="x" * 1000) for _ in range(700)])
        for viewer, answer in zip(viewers, answers, strict=True):
            await viewer.until(partial(has, viewer, 2100))
            checker = checker_of(answer)
            for event in viewer.durable():
                checker.see(event)
            assert not viewer.of("pipeline:status")[1:], "no viewer was too slow"


async def test_a_viewer_far_behind_gets_a_snapshot_and_then_live_events(
    server: Serving, database: Database
) -> None:
    await publish(database, [online()])
    async with (
        AsyncClient(base_url=server.url, timeout=60) as client,
        deaf_poller(client) as query,
    ):
        seen = await until_polled(client, query, lambda text: f"43{NAMESPACE},1[" in text)
        for _ in range(6):
            await publish(database, [update(filler="x" * 300) for _ in range(1000)])
        async with watching(server.url) as other:
            await other.subscribe()
            seen = await until_polled(
                client, query, lambda text: f'42{NAMESPACE},["pipeline:status"' in text
            )
            await publish(database, [update(last=True)])
            await other.until(other.durable)
        seen += await until_polled(client, query, lambda text: '"last":true' in text)
    packets = seen.split(f'42{NAMESPACE},["pipeline:status",')
    status = orjson.loads(packets[-1].split("\x1e")[0][:-1])
    assert status["cursor"].endswith(f"{6001:016}"), "the status includes every event"
    assert f'"seq":{6002}' in packets[-1]
    assert packets[-1].count('"seq":') == 1


async def until_polled(
    client: AsyncClient, query: dict[str, str], found: Callable[[str], bool]
) -> str:
    """Poll until `found` is true of the text so far, and return the text."""
    text = ""
    async with asyncio.timeout(SECONDS):
        while not found(text):
            came = (await client.get("/socket.io/", params=query)).text
            text += f"\x1e{came}"
    return text


async def test_a_slow_reader_gets_everything(hasty: Serving, database: Database) -> None:
    await publish(database, [online()])
    place = f"{hasty.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket"
    async with websockets.connect(place, sock=narrow(hasty.url), max_queue=1) as client:
        await client.send(AUTH)
        await client.send(SUBSCRIBE)
        await publish(database, [update(filler=LARGE) for _ in range(30)])
        seen = 0
        async with asyncio.timeout(30):
            while seen < 30:
                seen += LARGE in str(await client.recv())
                await asyncio.sleep(0.03)


async def test_a_connection_lost_during_a_request_leaks_nothing(
    hasty: Serving, database: Database
) -> None:
    await publish(database, [online()])
    for _ in range(5):
        viewer = Viewer(hasty.url)
        await viewer.connect({"token": token()})
        asking = asyncio.create_task(viewer.ask("subscribe", {"cursor": "-1"}))
        await asyncio.sleep(0)
        viewer.socket.eio.ws._response.connection.transport.abort()
        await asyncio.gather(asking, return_exceptions=True)
        await viewer.close()
    await wait_for_connections(hasty, 0)
    assert not hasty.status.components.rooms._rooms
    assert not hasty.status.components.registry._sessions
