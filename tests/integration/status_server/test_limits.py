"""Admission: rates, numbers of connections, origins and hosts; idle and handshake time-outs."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
import pytest
import socketio
from httpx import AsyncClient

from raglive.store.pool import Database
from raglive_contract.errors import ErrorBody
from raglive_contract.permissions import Role
from raglive_contract.socket import Refused, ServerClosing
from tests.integration.status_server.conftest import LogLines
from tests.integration.status_server.serving import online, publish, serving, token, update
from tests.integration.status_server.watching import NAMESPACE, Viewer, watching

ELSEWHERE = {"X-Forwarded-For": "203.0.113.7"}
HANDSHAKE = "/socket.io/?EIO=4&transport=polling"


def assert_refused(error: ErrorBody, code: str, setting: str) -> None:
    assert error.code == code
    assert error.retryable
    assert error.retry_after_ms
    assert setting in error.message


async def test_a_client_that_ignores_its_rate_limit_is_evicted(
    database: Database,
) -> None:
    limits: dict[str, Any] = {"RAGLIVE_CONNECTION_REQUESTS_PER_SECOND": "1"}
    async with serving(database, **limits) as server, watching(server.url) as other:
        viewer = Viewer(server.url)
        await viewer.connect({"token": token()})
        answers = [await viewer.ask("client:status", {}) for _ in range(8)]
        refusals = [Refused.model_validate(it).error for it in answers]
        limited = [it for it in refusals if it.code == "rate_limited"]
        assert limited
        assert_refused(limited[0], "rate_limited", "RAGLIVE_CONNECTION_REQUESTS_PER_SECOND")
        await asyncio.sleep((limited[-1].retry_after_ms or 0) / 1000)
        assert (await viewer.ask("unsubscribe"))["ok"], "a client that waits is served"
        for _ in range(200):
            if viewer.closed.is_set():
                break
            await viewer.socket.emit("unsubscribe", namespace=NAMESPACE)
        await viewer.until(viewer.closed.is_set)
        [closing] = viewer.of("server:closing")
        assert ServerClosing.model_validate(closing).error.code == "rate_limited"
        await viewer.close()
        assert (await other.ask("unsubscribe"))["ok"]


async def test_a_subject_has_one_limit_for_all_connections_and_http(
    database: Database,
) -> None:
    async with (
        serving(database, RAGLIVE_SUBJECT_REQUESTS_PER_SECOND="0.01") as server,
        watching(server.url, subject="one") as one,
        watching(server.url, subject="two"),
    ):
        refused = Refused.model_validate(await one.ask("unsubscribe")).error
        assert_refused(refused, "rate_limited", "RAGLIVE_SUBJECT_REQUESTS_PER_SECOND")
        headers = {"Authorization": f"Bearer {token(subject='one')}"}
        async with AsyncClient(base_url=server.url, headers=headers) as http:
            answer = await http.get("/v1/pipelines")
            assert answer.status_code == 429
            assert int(answer.headers["Retry-After"]) >= 1


async def test_connections_of_a_subject_and_pipelines_of_a_connection(database: Database) -> None:
    for name in ("a", "b", "c"):
        await publish(database, [online()], name)
    limits: dict[str, Any] = {
        "RAGLIVE_MAX_CONNECTIONS_PER_SUBJECT": "2",
        "RAGLIVE_MAX_SUBSCRIPTIONS": "2",
    }
    async with serving(database, **limits) as server, AsyncExitStack() as stack:
        viewers = [await stack.enter_async_context(watching(server.url)) for _ in range(2)]
        third = Viewer(server.url)
        for _ in range(2):  # a refusal does not count
            with pytest.raises(socketio.exceptions.ConnectionError):
                await third.connect({"token": token()})
            assert third.refusal
            error = ErrorBody.model_validate(third.refusal["data"]["error"])
            assert_refused(error, "limit_reached", "RAGLIVE_MAX_CONNECTIONS_PER_SUBJECT")
        await third.close()
        refused = Refused.model_validate(await viewers[0].ask("subscribe")).error
        assert_refused(refused, "limit_reached", "RAGLIVE_MAX_SUBSCRIPTIONS")
        await viewers[0].subscribe(pipeline_id=["a", "b"])
        assert not (await viewers[0].ask("subscribe", {"pipeline_id": "c"}))["ok"]
        await viewers[0].subscribe(pipeline_id=["b", "a"])
        await viewers[1].close()
        async with asyncio.timeout(10), AsyncClient(base_url=server.url) as http:
            while (await http.get("/health")).json()["connected_clients"] != 1:
                await asyncio.sleep(0.02)
        async with watching(server.url) as fourth:
            assert await fourth.subscribe(pipeline_id="c")


@pytest.mark.parametrize("transport", ["polling", "websocket"])
@pytest.mark.parametrize(
    "setting",
    [
        "RAGLIVE_MAX_CONNECTIONS",
        "RAGLIVE_MAX_CONNECTIONS_PER_ADDRESS",
        "RAGLIVE_ADDRESS_CONNECTIONS_PER_SECOND",
    ],
)
async def test_connections_of_an_address(database: Database, transport: str, setting: str) -> None:
    limit = "0.1" if setting.endswith("SECOND") else "1"
    limits: dict[str, Any] = {setting: limit}
    async with serving(database, **limits) as server:
        first = Viewer(server.url)
        await first.socket.connect(
            server.url,
            headers=ELSEWHERE,
            auth={"token": token()},
            transports=["websocket"],
            namespaces=[NAMESPACE],
        )
        if transport == "polling":
            async with AsyncClient(base_url=server.url, headers=ELSEWHERE) as http:
                answer = await http.get(HANDSHAKE)
                status, body = answer.status_code, answer.json()
        else:
            async with aiohttp.ClientSession(headers=ELSEWHERE) as session:
                address = server.url + HANDSHAKE.replace("polling", "websocket")
                with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                    await session.ws_connect(address)
                status = refused.value.status
                async with session.get(server.url + HANDSHAKE) as again:
                    body = await again.json()
        assert status == 429
        expected = "rate_limited" if setting.endswith("SECOND") else "limit_reached"
        assert_refused(ErrorBody.model_validate(body["error"]), expected, setting)
        if setting != "RAGLIVE_MAX_CONNECTIONS":
            async with watching(server.url):  # this machine is not limited by its address
                pass
        await first.close()


async def test_http_requests_of_an_address(database: Database) -> None:
    async with (
        serving(database, RAGLIVE_ADDRESS_REQUESTS_PER_SECOND="1") as server,
        AsyncClient(base_url=server.url, headers=ELSEWHERE) as http,
        AsyncClient(base_url=server.url) as local,
    ):
        answers = [await http.get("/status") for _ in range(3)]
        assert [it.status_code for it in answers] == [401, 401, 429]
        assert_refused(
            ErrorBody.model_validate(answers[-1].json()["error"]),
            "rate_limited",
            "RAGLIVE_ADDRESS_REQUESTS_PER_SECOND",
        )
        assert (await http.get("/health")).is_success
        assert [(await local.get("/status")).status_code for _ in range(5)] == [401] * 5


async def test_events_of_a_pipeline_and_pipelines_of_the_server(database: Database) -> None:
    limits: dict[str, Any] = {
        "RAGLIVE_PIPELINE_EVENTS_PER_SECOND": "1",
        "RAGLIVE_MAX_PIPELINES": "2",
    }
    async with serving(database, **limits) as server, server.client(Role.PRODUCER) as client:

        async def send(pipeline_id: str) -> ErrorBody | None:
            new = {"pipeline_id": pipeline_id, "pipeline_type": "local_files"}
            body = {"events": [update() | new for _ in range(5)]}
            answer = await client.post("/v1/events", json=body)
            return None if answer.is_success else ErrorBody(**answer.json()["error"])

        assert await send("a") is None
        again = await send("a")
        assert again
        assert_refused(again, "rate_limited", "RAGLIVE_PIPELINE_EVENTS_PER_SECOND")
        assert await send("b") is None
        async with asyncio.timeout(10), server.client() as viewer:
            while len((await viewer.get("/v1/pipelines")).json()["pipelines"]) < 2:
                await asyncio.sleep(0.02)
        async with asyncio.timeout(10):  # until this server has met both
            while (third := await send(f"c-{asyncio.get_running_loop().time()}")) is None:
                await asyncio.sleep(0.05)
        assert_refused(third, "limit_reached", "RAGLIVE_MAX_PIPELINES")


@pytest.mark.parametrize(
    ("setting", "most"),
    [
        ("RAGLIVE_SUBJECT_EVENTS_PER_DAY", 12),
        ("RAGLIVE_SUBJECT_BYTES_PER_DAY", 3200),
        ("RAGLIVE_SUBJECT_PIPELINES_PER_DAY", 2),
    ],
)
async def test_a_daily_quota_holds_for_all_servers_and_after_a_restart(
    database: Database, setting: str, most: int
) -> None:
    limits: dict[str, Any] = {setting: str(most)}

    async def send(pipeline_id: str) -> ErrorBody | None:
        async with serving(database, **limits) as server, server.client(Role.PRODUCER) as client:
            new = {"pipeline_id": pipeline_id, "pipeline_type": "local_files"}
            body = {"events": [update(text="x" * 100) | new for _ in range(5)]}
            answer = await client.post("/v1/events", json=body)
            return None if answer.is_success else ErrorBody(**answer.json()["error"])

    accepted = 0
    while (refused := await send(f"pipeline-{accepted}")) is None:
        accepted += 1
        assert accepted <= 2
    assert accepted == 2
    assert_refused(refused, "limit_reached", setting)
    assert (refused.retry_after_ms or 0) <= 86_400_000


async def test_idle_connections_and_those_without_a_namespace_are_closed(
    database: Database, log_lines: LogLines
) -> None:
    await publish(database, [online()])
    limits: dict[str, Any] = {"RAGLIVE_HANDSHAKE_SECONDS": "1", "RAGLIVE_IDLE_SECONDS": "2"}
    async with (
        serving(database, **limits) as server,
        watching(server.url) as idle,
        watching(server.url) as subscribed,
        watching(server.url, role=Role.ADMIN) as administrator,
        aiohttp.ClientSession() as session,
    ):
        await subscribed.subscribe()
        assert (await administrator.ask("subscribe", {"room": "admin:monitoring"}))["ok"]
        address = server.url + HANDSHAKE.replace("polling", "websocket")
        async with session.ws_connect(address) as silent, asyncio.timeout(10):
            assert (await silent.receive()).type is aiohttp.WSMsgType.TEXT
            while (await silent.receive()).type is aiohttp.WSMsgType.TEXT:
                pass
        assert [it for it in log_lines if it["event"] == "handshake_not_completed"]
        async with session.ws_connect(address) as leaving, asyncio.timeout(10):
            for packet in (f'40{NAMESPACE},{{"token":"{token()}"}}', f"41{NAMESPACE},"):
                await leaving.receive()
                await leaving.send_str(packet)
            while (await leaving.receive()).type is aiohttp.WSMsgType.TEXT:
                pass
        assert len([it for it in log_lines if it["event"] == "handshake_not_completed"]) == 2
        await idle.until(idle.closed.is_set)
        assert ServerClosing.model_validate(idle.of("server:closing")[0]).error.code == "idle"
        assert not subscribed.closed.is_set()
        assert not administrator.closed.is_set()


ORIGINS = [
    ("http://evil.example", False),
    ("http://evil.example:3000", False),
    ("http://127.0.0.1.evil.example:3000", False),
    ("null", False),
    ("file://", False),
    ("http://127.0.0.1:3000", True),
    ("https://allowed.example", True),
    ("{own}", True),
    (None, True),
]


@pytest.mark.parametrize("transport", ["polling", "websocket"])
async def test_another_origin_is_refused_and_the_log_names_the_setting(
    database: Database, log_lines: LogLines, transport: str
) -> None:
    async with serving(database, SOCKET_IO_CORS_ORIGIN="https://allowed.example") as server:
        for origin, allowed in ORIGINS:
            log_lines.clear()
            headers = {"Origin": origin.format(own=server.url)} if origin else {}
            async with aiohttp.ClientSession(headers=headers) as session:
                address = server.url + HANDSHAKE.replace("polling", transport)
                if transport == "polling":
                    async with session.get(address) as answer:
                        status = answer.status
                        if not allowed:
                            error = ErrorBody(**(await answer.json())["error"])
                            assert error.code == "origin_not_allowed"
                else:
                    try:
                        async with session.ws_connect(address):
                            status = 200
                    except aiohttp.WSServerHandshakeError as error_:
                        status = error_.status
            assert status == (200 if allowed else 403), origin
            warned = [it for it in log_lines if it["event"] == "origin_not_allowed"]
            assert bool(warned) is not allowed
            if warned:
                assert warned[0]["origin"] == headers["Origin"]
                assert warned[0]["setting"] == "SOCKET_IO_CORS_ORIGIN"


@pytest.mark.parametrize("transport", ["polling", "websocket"])
async def test_a_rebound_host_name_is_refused_and_the_log_names_the_setting(
    database: Database, log_lines: LogLines, transport: str
) -> None:
    headers = {"Host": "evil.example:8103", "Origin": "http://evil.example:8103"}
    async with serving(database) as server, aiohttp.ClientSession(headers=headers) as session:
        address = server.url + HANDSHAKE.replace("polling", transport)
        if transport == "polling":
            async with session.get(address) as answer:
                assert answer.status == 421
        else:
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                await session.ws_connect(address)
            assert refused.value.status == 421
    [warned] = [it for it in log_lines if it["event"] == "host_not_allowed"]
    assert (warned["host"], warned["setting"]) == ("evil.example:8103", "RAGLIVE_ALLOWED_HOSTS")
