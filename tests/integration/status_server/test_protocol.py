"""Engine.IO 4 and Socket.IO 5: the cases of the official suites, and upgrades of the transport.

The server is an echo server on the transport alone, with short heartbeats.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import orjson
import pytest
import websockets
from httpx import AsyncClient, Response

from tests.integration.status_server.protocol_server import (
    PING_INTERVAL,
    PING_TIMEOUT,
    serving_echoes,
)
from tests.integration.status_server.serving import free_port

SECONDS = 5
PATHS = ("/engine.io/", "/socket.io/")
HANDSHAKE = {"sid", "upgrades", "pingInterval", "pingTimeout", "maxPayload"}
each_path = pytest.mark.parametrize("path", PATHS)


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async with serving_echoes(free_port()) as url:
        yield url


@pytest.fixture
async def http(url: str) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(base_url=url, timeout=SECONDS) as client:
        yield client


class Polling:
    """A long-polling session by hand."""

    def __init__(self, http: AsyncClient, path: str) -> None:
        self._http = http
        self._path = path
        self.query = {"EIO": "4", "transport": "polling"}

    async def open(self) -> dict[str, Any]:
        handshake: dict[str, Any] = orjson.loads((await self.get()).text[1:])
        self.query["sid"] = handshake["sid"]
        return handshake

    async def get(self) -> Response:
        return await self._http.get(self._path, params=self.query)

    async def post(self, body: str) -> Response:
        return await self._http.post(self._path, params=self.query, content=body)


@pytest.fixture
async def polling(http: AsyncClient, path: str) -> Polling:
    session = Polling(http, path)
    await session.open()
    return session


@asynccontextmanager
async def websocket(
    url: str, path: str, sid: str | None = None
) -> AsyncIterator[websockets.ClientConnection]:
    place = f"{url.replace('http', 'ws')}{path}?EIO=4&transport=websocket"
    place += "" if sid is None else f"&sid={sid}"
    async with asyncio.timeout(SECONDS), websockets.connect(place, ping_interval=None) as socket:
        yield socket


async def is_closed(socket: websockets.ClientConnection) -> bool:
    """Wait until the server closes the connection; answers pings."""
    with suppress(websockets.ConnectionClosedError):
        async for packet in socket:
            if packet == "2":
                await socket.send("3")
    return True


@each_path
async def test_handshake(url: str, http: AsyncClient, path: str) -> None:
    polled = await Polling(http, path).open()
    async with websocket(url, path) as socket:
        opened = orjson.loads(str(await socket.recv())[1:])
    for handshake, upgrades in ((polled, ["websocket"]), (opened, [])):
        assert handshake.keys() == HANDSHAKE
        assert handshake["upgrades"] == upgrades
        assert handshake["pingInterval"] == PING_INTERVAL * 1000
        assert handshake["pingTimeout"] == PING_TIMEOUT * 1000
        assert handshake["maxPayload"] == 1_000_000


@each_path
@pytest.mark.parametrize(
    ("method", "query"),
    [
        ("GET", "transport=polling"),
        ("GET", "EIO=abc&transport=polling"),
        ("GET", "EIO=3&transport=polling"),
        ("GET", "EIO=4"),
        ("GET", "EIO=4&transport=abc"),
        ("GET", "EIO=4&transport=websocket"),
        ("GET", "EIO=4&transport=polling&sid=unknown"),
        ("POST", "EIO=4&transport=polling"),
        ("PUT", "EIO=4&transport=polling"),
    ],
)
async def test_a_handshake_that_is_refused(
    url: str, http: AsyncClient, path: str, method: str, query: str
) -> None:
    assert (await http.request(method, f"{path}?{query}")).status_code == 400
    if method == "GET" and query != "EIO=4&transport=websocket":
        with pytest.raises(websockets.InvalidStatus):
            await websockets.connect(f"{url.replace('http', 'ws')}{path}?{query}")


@pytest.mark.parametrize("path", ["/engine.io/"])
@pytest.mark.parametrize("body", ["4hello", "4test1\x1e4test2\x1e4test3", "4hello\x1ebAQIDBA=="])
async def test_a_payload_comes_back(polling: Polling, body: str) -> None:
    answer = await polling.post(body)
    assert (answer.status_code, answer.text) == (200, "ok")
    assert (await polling.get()).text == body


async def test_messages_over_a_websocket(url: str) -> None:
    async with websocket(url, "/engine.io/") as socket:
        await socket.recv()
        for message, echo in (("4hello", "4hello"), (b"\1\2\3\4", b"\1\2\3\4"), ("6", None)):
            await socket.send(message)
            assert echo is None or await socket.recv() == echo
        await socket.send("abc")
        assert await is_closed(socket)


@each_path
async def test_a_malformed_payload_ends_the_session(polling: Polling) -> None:
    assert (await polling.post("abc")).status_code == 400
    assert (await polling.get()).status_code == 400


@each_path
async def test_two_polls_at_once_end_the_session(polling: Polling) -> None:
    first = asyncio.create_task(polling.get())
    await asyncio.sleep(0.05)
    assert (await polling.get()).status_code == 400
    answer = await first
    assert (answer.status_code, answer.text) == (200, "1")
    assert (await polling.get()).status_code == 400


@each_path
async def test_an_abandoned_poll_ends_the_session(polling: Polling) -> None:
    first = asyncio.create_task(polling.get())
    await asyncio.sleep(0.05)
    first.cancel()
    async with asyncio.timeout(PING_INTERVAL / 2):
        while (await polling.get()).status_code != 400:
            await asyncio.sleep(0.01)


@each_path
async def test_a_session_ends_with_its_first_missed_heartbeat(
    url: str, polling: Polling, path: str
) -> None:
    for _ in range(2):
        assert (await polling.get()).text == "2"
        assert (await polling.post("3")).status_code == 200
    assert (await polling.get()).text == "2"
    assert (await polling.get()).text == "1"
    assert (await polling.get()).status_code == 400
    async with websocket(url, path) as socket:
        await socket.recv()
        for _ in range(2):
            assert await socket.recv() == "2"
            await socket.send("3")
        assert await socket.recv() == "2"
        assert await socket.recv() == "1"
        assert await is_closed(socket)


@each_path
async def test_a_client_closes(url: str, polling: Polling, path: str) -> None:
    waiting = asyncio.create_task(polling.get())
    await asyncio.sleep(0.05)
    assert (await polling.post("1")).status_code == 200
    assert (await waiting).text == "6"
    assert (await polling.get()).status_code == 400
    async with websocket(url, path) as socket:
        await socket.recv()
        await socket.send("1")
        assert await is_closed(socket)


@each_path
async def test_an_upgrade(url: str, polling: Polling, path: str) -> None:
    async with websocket(url, path, polling.query["sid"]) as socket:
        await socket.send("2probe")
        assert await socket.recv() == "3probe"
        answer = await polling.get()
        assert (answer.status_code, answer.text) == (200, "6")
        await socket.send("5")
        if path == "/engine.io/":
            await socket.send("4hello")
            assert await socket.recv() == "4hello"
        else:
            assert await socket.recv() == "2"
        assert (await polling.get()).status_code == 400
        assert (await polling.post("4x")).status_code == 400
        async with websocket(url, path, polling.query["sid"]) as second:
            assert await is_closed(second)


@pytest.mark.parametrize("path", ["/engine.io/"])
async def test_an_upgrade_ends_the_poll_that_waits_and_loses_nothing(
    url: str, polling: Polling, path: str
) -> None:
    waiting = asyncio.create_task(polling.get())
    async with websocket(url, path, polling.query["sid"]) as socket:
        await socket.send("2probe")
        assert await socket.recv() == "3probe"
        assert (await waiting).text == "6"
        await polling.post("4said meanwhile")
        await socket.send("5")
        assert await socket.recv() == "4said meanwhile"


@each_path
async def test_one_upgrade_does_not_disturb_another(url: str, polling: Polling, path: str) -> None:
    sid = polling.query["sid"]
    async with websocket(url, path, sid) as socket:
        await socket.send("2probe")
        await socket.recv()
        async with websocket(url, path, sid) as rival:
            assert await is_closed(rival)
        await socket.send("5")
        assert await socket.recv() == "2"


@pytest.mark.parametrize("namespace", ["", "/custom,"])
@pytest.mark.parametrize("auth", ["", '{"token":"123"}'])
async def test_connecting(url: str, namespace: str, auth: str) -> None:
    async with websocket(url, "/socket.io/") as socket:
        await socket.recv()
        await socket.send(f"40{namespace}{auth}")
        answer = str(await socket.recv())
        assert answer.startswith(f"40{namespace}")
        assert orjson.loads(answer.removeprefix(f"40{namespace}")).keys() == {"sid"}
        assert await socket.recv() == f'42{namespace}["auth",{auth or "{}"}]'


async def test_connecting_that_fails(url: str) -> None:
    async with websocket(url, "/socket.io/") as socket:
        await socket.recv()
        await socket.send("40/random")
        assert await socket.recv() == '44/random,{"message":"Invalid namespace"}'
        await socket.send("4abc")
        assert await is_closed(socket)


async def test_a_connection_without_a_namespace_is_closed(url: str) -> None:
    async with websocket(url, "/socket.io/") as socket:
        assert await is_closed(socket)


@asynccontextmanager
async def connected(url: str) -> AsyncIterator[websockets.ClientConnection]:
    """A connection to the main namespace; the test answers the pings."""
    async with websocket(url, "/socket.io/") as socket:
        await socket.recv()
        await socket.send("40")
        while (packet := await socket.recv()) == "2":  # the interval of pings is short here
            await socket.send("3")
        assert str(packet).startswith("40")
        assert await socket.recv() == '42["auth",{}]'
        yield socket


async def test_leaving_the_last_namespace_keeps_the_connection(url: str) -> None:
    async with connected(url) as socket:
        await socket.send("41")
        assert await socket.recv() == "2"


async def test_leaving_one_namespace_keeps_the_other(url: str) -> None:
    async with connected(url) as socket:
        await socket.send("40/custom")
        await socket.recv()
        await socket.recv()
        await socket.send("41/custom")
        await socket.send('42["message","to the main one"]')
        assert await socket.recv() == '42["message-back","to the main one"]'


TWO = '{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}'


@pytest.mark.parametrize(
    ("sent", "echo"),
    [
        (['42["message",1,"2",{"3":[true]}]'], ['42["message-back",1,"2",{"3":[true]}]']),
        (['42456["message-with-ack",1,{"3":[false]}]'], ['43456[1,{"3":[false]}]']),
        ([f'452-["message",{TWO}]', b"\1", b"\2"], [f'452-["message-back",{TWO}]', b"\1", b"\2"]),
        ([f'452-789["message-with-ack",{TWO}]', b"\1", b"\2"], [f"462-789[{TWO}]", b"\1", b"\2"]),
    ],
)
async def test_events(url: str, sent: list[str | bytes], echo: list[str | bytes]) -> None:
    async with connected(url) as socket:
        for packet in sent:
            await socket.send(packet)
        assert [await socket.recv() for _ in echo] == echo


@pytest.mark.parametrize("packet", ["4abc", "42{}", '42abc["message-with-ack",1]'])
async def test_malformed_packets_close_the_connection(url: str, packet: str) -> None:
    async with connected(url) as socket:
        await socket.send(packet)
        assert await is_closed(socket)
