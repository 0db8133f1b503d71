"""TCP connections whose clients send nothing, half a request, or do not read the response."""

from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack, suppress
from urllib.parse import urlsplit

import pytest
from httpx import AsyncClient

from raglive.status_server.transport import http_connections
from raglive.store.pool import Database
from raglive_contract.permissions import Role
from tests.integration.status_server.conftest import LogLines
from tests.integration.status_server.serving import Serving, online, publish, serving, token, update
from tests.integration.status_server.watching import watching

SECONDS = 20
HEAD = b"POST /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n"


def connect(url: str, sent: bytes = b"", receive_buffer: int | None = None) -> socket.socket:
    client = socket.socket()
    if receive_buffer:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    parts = urlsplit(url)
    client.connect((parts.hostname, parts.port))
    client.sendall(sent)
    client.setblocking(False)
    return client


async def until_closed(client: socket.socket) -> bytes:
    """Read until the server closes the connection."""
    received, loop = b"", asyncio.get_running_loop()
    with suppress(ConnectionError):
        async with asyncio.timeout(SECONDS):
            while data := await loop.sock_recv(client, 65536):
                received += data
    return received


async def send_until_closed(client: socket.socket, data: bytes) -> None:
    """Send data again and again until the server closes the connection."""
    loop = asyncio.get_running_loop()
    with suppress(ConnectionError):
        async with asyncio.timeout(SECONDS):
            while True:
                await loop.sock_sendall(client, data)
                await asyncio.sleep(0)


async def test_over_the_limit_the_oldest_idle_connections_are_closed_and_viewers_stay(
    database: Database, log_lines: LogLines
) -> None:
    async with serving(database, RAGLIVE_MAX_CONNECTIONS="20") as server:
        await publish(database, [online()])
        async with server.client() as client, watching(server.url) as viewer:
            await viewer.subscribe()
            with ExitStack() as sockets:
                idle = [sockets.enter_context(connect(server.url, HEAD[:n])) for n in range(40)]
                idle += [sockets.enter_context(connect(server.url)) for _ in range(40)]
                await until_closed(idle[0])
                await until_closed(idle[30])
                assert (await client.get("/health")).status_code == 200
                await publish(database, [update(note="still here")])
                await viewer.until(lambda: "still here" in str(viewer.received))
    [line] = [it for it in log_lines if it["event"] == "connections_closed"]
    assert line["limit"] == 40


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        HEAD[:30],
        HEAD
        + b"Authorization: Bearer "
        + token(Role.PRODUCER).encode()
        + b"\r\nContent-Length: 9\r\n\r\n{",
    ],
    ids=["silent", "half of the headers", "half of the body"],
)
async def test_a_client_that_sends_half_a_request_is_closed(
    server: Serving, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    monkeypatch.setattr(http_connections, "HEAD_SECONDS", 0.2)
    monkeypatch.setattr(http_connections, "BODY_PAUSE_SECONDS", 0.2)
    with connect(server.url, sent) as client:
        assert await until_closed(client) == b""


async def test_a_client_that_does_not_read_its_response_is_closed(
    server: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_connections, "UNREAD_SECONDS", 0.2)
    request = b"GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
    with connect(server.url, receive_buffer=4096) as client:
        await send_until_closed(client, request * 100)


async def test_headers_without_an_end_are_refused(server: Serving) -> None:
    with connect(server.url, HEAD) as client:
        await send_until_closed(client, b"X-Long: " + b"a" * 8000)
    async with AsyncClient(base_url=server.url) as client:
        assert (await client.get("/health")).status_code == 200
