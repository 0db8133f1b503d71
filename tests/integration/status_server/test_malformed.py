"""Malformed packets and payloads: a reason or a clean close, and no effect on others."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import orjson
import websockets
from httpx import AsyncClient, Response

from raglive.store.pool import Database
from raglive_contract.socket import Refused
from tests.integration.status_server.serving import Serving, online, publish, token, update
from tests.integration.status_server.watching import watching

NAMESPACE = "/local_files"


@asynccontextmanager
async def raw_websocket(server: Serving) -> AsyncIterator[websockets.ClientConnection]:
    """A WebSocket that has joined the namespace, for packets by hand."""
    url = server.url.replace("http", "ws") + "/socket.io/?EIO=4&transport=websocket"
    async with websockets.connect(url) as socket:
        await socket.recv()
        await socket.send(f"40{NAMESPACE}," + orjson.dumps({"token": token()}).decode())
        assert str(await socket.recv()).startswith(f"40{NAMESPACE}")
        yield socket


async def ended(socket: websockets.ClientConnection) -> bool:
    """Wait until the server closes the connection."""
    try:
        async with asyncio.timeout(5):
            while True:
                await socket.recv()
    except websockets.ConnectionClosed:
        return True


MALFORMED: list[str | bytes] = [
    "",
    "x",
    "0",
    "9",
    "4",
    "4x",
    "47",
    "4[",
    '4{"a":1}',
    "42",
    f"42{NAMESPACE},",
    f"42{NAMESPACE},[]",
    f"42{NAMESPACE},[1]",
    f"42{NAMESPACE},[null]",
    f'42{NAMESPACE},["disconnect"]',
    f'42{NAMESPACE},["connect",{{}}]',
    f'42{NAMESPACE},{{"a":1}}',
    f'42{NAMESPACE},["ping"',
    f'42{NAMESPACE},["ping",NaN]',
    f'42{NAMESPACE},["ping","\\ud800"]',
    f"42{NAMESPACE}," + "[" * 100_000,
    f'42{NAMESPACE},{"9" * 200}["ping"]',
    f'43{NAMESPACE},1{{"a":1}}',
    f'44{NAMESPACE},{{"message":"x"}}',
    f'45999999999-{NAMESPACE},["ping",{{"_placeholder":true,"num":0}}]',
    f'49-{NAMESPACE},["ping"]',
    b"",
    b"binary",
    b"4",
    "b!",
    "bA",
    '451-/unknown,["x",{"_placeholder":true,"num":0}]',
]


async def test_a_malformed_packet_ends_only_its_own_connection(
    server: Serving, database: Database
) -> None:
    await publish(database, [online()])
    async with watching(server.url) as viewer:
        await viewer.subscribe()
        for packet in MALFORMED:
            async with raw_websocket(server) as socket:
                await socket.send(packet)
                assert await ended(socket), packet
        async with raw_websocket(server) as socket:
            await socket.send("4" + "x" * 1_100_000)
            assert await ended(socket)
        await publish(database, [update()])
        await viewer.until(viewer.durable)
        async with server.client() as client:
            await _until_one_is_left(client)


async def _until_one_is_left(client: AsyncClient) -> None:
    """Wait until only one connection is left."""
    async with asyncio.timeout(5):
        while (await client.get("/health")).json()["connected_clients"] != 1:
            await asyncio.sleep(0.02)


async def test_deep_nesting(server: Serving) -> None:
    for depth, answer in ((900, '"ok":true'), (100_000, None)):
        deep = "[" * depth + "]" * depth
        request = f'42{NAMESPACE},7["subscribe",{{"client_info":{{"x":{deep}}}}}]'
        async with raw_websocket(server) as socket:
            await socket.send(request)
            if answer is None:
                assert await ended(socket)
            else:
                assert answer in await next_packet(socket, f"43{NAMESPACE},7[")


async def next_packet(socket: websockets.ClientConnection, start: str) -> str:
    """Return the next packet that starts with `start`."""
    async with asyncio.timeout(5):
        while not (packet := str(await socket.recv())).startswith(start):
            pass
    return packet


async def test_unexpected_but_valid_packets_are_ignored(server: Serving) -> None:
    """Packets for other namespaces or without content change nothing."""
    odd: list[str] = ["6", "3", "41/other,", f"43{NAMESPACE},5[]", '42/other,["ping"]']
    odd += [f"40{NAMESPACE},", "40/other,{}", f"40{NAMESPACE}?x=1,{{}}"]
    async with raw_websocket(server) as socket:
        for packet in odd:
            await socket.send(packet)
        await socket.send(f'42{NAMESPACE},77["ping"]')
        await next_packet(socket, f"43{NAMESPACE},77[")


async def test_attachments(server: Serving) -> None:
    event = '["subscribe",{"_placeholder":true,"num":0}]'
    async with raw_websocket(server) as socket:
        await socket.send(f"451-{NAMESPACE},5{event}")
        await socket.send(b"bytes")
        assert "invalid_request" in await next_packet(socket, f"43{NAMESPACE},5[")
    for bad in ("text", b"4"):
        async with raw_websocket(server) as socket:
            number = 0 if bad == "text" else 3
            await socket.send(f"451-{NAMESPACE},5{event.replace('0', str(number))}")
            await socket.send(f"4{bad}" if isinstance(bad, str) else bad)
            assert await ended(socket)


class Polling:
    """Long-polling by hand."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self._query: dict[str, str] = {"EIO": "4", "transport": "polling"}

    async def open(self) -> None:
        answer = await self.get()
        self._query["sid"] = orjson.loads(answer.text[1:])["sid"]
        await self.post(f"40{NAMESPACE}," + orjson.dumps({"token": token()}).decode())
        assert (await self.get()).text.startswith(f"40{NAMESPACE}")

    async def get(self) -> Response:
        return await self._client.get("/socket.io/", params=self._query)

    async def post(self, content: Any) -> Response:
        return await self._client.post("/socket.io/", params=self._query, content=content)


async def test_malformed_payloads_are_refused_with_a_reason(server: Serving) -> None:
    async with AsyncClient(base_url=server.url, timeout=10) as client:
        for packet in [*MALFORMED[:20], b"\xff", "d=4", "1\x1e"]:
            polling = Polling(client)
            await polling.open()
            answer = await polling.post(packet)
            assert answer.status_code in {200, 400}, packet
            if answer.status_code == 400:
                Refused.model_validate({"ok": False, **answer.json()})
            assert (await polling.get()).status_code == 400 or not packet


async def test_a_payload_that_is_too_large(server: Serving) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"4" + b"x" * 100_000

    async with AsyncClient(base_url=server.url, timeout=10) as client:
        for body in (b"4" + b"x" * 1_100_000, chunks()):
            polling = Polling(client)
            await polling.open()
            answer = await polling.post(body)
            assert answer.status_code == 413
            assert answer.json()["error"]["code"] == "payload_too_large"
            assert (await polling.get()).status_code == 400


async def test_all_packets_of_one_payload_are_handled(server: Serving) -> None:
    async with AsyncClient(base_url=server.url, timeout=10) as client:
        polling = Polling(client)
        await polling.open()
        pings = "\x1e".join(f'42{NAMESPACE},{number}["ping"]' for number in range(100))
        assert (await polling.post(pings)).text == "ok"
        answers = (await polling.get()).text.split("\x1e")
        assert sum(answer.startswith(f"43{NAMESPACE}") for answer in answers) == 100
        too_many = await polling.post("\x1e".join(["3"] * 3000))
        assert "more than 2000 packets" in too_many.json()["error"]["message"]


async def test_an_upgrade_that_fails_leaves_polling_as_it_was(
    server: Serving, database: Database
) -> None:
    await publish(database, [online()])
    async with AsyncClient(base_url=server.url, timeout=10) as client:
        polling = Polling(client)
        await polling.open()
        url = str(client.build_request("GET", "/socket.io/", params=polling._query).url)
        url = url.replace("http", "ws").replace("transport=polling", "transport=websocket")
        for words in ([], ["2probe"], ["nonsense"], ["4x"], ["2probe", "x"], ["2probe", "3"]):
            socket = await websockets.connect(url)
            for word in words:
                await socket.send(word)
            await socket.close()
        await polling.post(f'42{NAMESPACE},1["subscribe"]')
        async with asyncio.timeout(10):
            while f"43{NAMESPACE},1[" not in (await polling.get()).text:
                pass
