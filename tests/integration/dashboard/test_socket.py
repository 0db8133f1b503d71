from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvicorn
from httpx import AsyncClient

from raglive.app.status_server import status_server_config
from raglive.bus.postgres import PostgresBus
from raglive.search.service import SearchConfig, SearchService
from raglive.settings import read_settings
from raglive.status_server.server import StatusServer
from raglive.store.pool import Database
from raglive.store.registry.pipelines import PipelineRecord
from raglive_contract.http import SocketInfo, SocketTest, SystemHealth
from tests.integration.dashboard.serving import PUBLIC_STATUS_URL, TOKENS, bearer, opened


@asynccontextmanager
async def status_server(database: Database) -> AsyncIterator[str]:
    search = SearchService(database, SearchConfig())
    config = status_server_config(read_settings({}))
    bus = PostgresBus(database.dsn)
    asgi = StatusServer(config, database, TOKENS, search, bus).asgi
    serving_config = uvicorn.Config(
        asgi, "127.0.0.1", 0, log_config=None, timeout_graceful_shutdown=1
    )
    server = _Server(serving_config)
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(20):
        await server.is_up.wait()
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await serving
        await bus.close()


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = asyncio.Event()

    async def startup(self, *args: object, **kwargs: object) -> None:
        await super().startup(*args, **kwargs)  # type: ignore[arg-type]  # passed on as it comes
        self.is_up.set()


async def info(http: AsyncClient) -> SocketInfo:
    answer = await http.get("/api/socket/info")
    found = SocketInfo.model_validate(answer.json())
    assert (answer.status_code, answer.headers["X-Socket-Health"]) == (200, found.health)
    return found


async def check(
    http: AsyncClient, pipeline_type: str = "local_files", **headers: str
) -> SocketTest:
    answer = await http.post(
        "/api/socket/test", json={"pipelineType": pipeline_type}, headers=headers
    )
    assert answer.status_code == 200, answer.text
    return SocketTest.model_validate(answer.json())


async def test_the_round_trip_is_a_real_one(database: Database) -> None:
    async with (
        status_server(database) as url,
        opened(database, RAGLIVE_STATUS_INTERNAL_URL=url) as http,
    ):
        found = await info(http)
        assert (found.available, found.url) == (True, PUBLIC_STATUS_URL)
        assert found.latency is not None
        tested = await check(http)
        assert (tested.success, tested.error, tested.transport) == (True, None, "websocket")
        assert tested.latency is not None
        assert tested.server_info is not None
        status = (await http.get("/api/rag-status")).json()
        assert (status["websocket_available"], status["fallback_mode"]) == (True, False)
        answer = await http.get("/api/rag-status", params={"cursor": "now"})
        assert answer.headers["ETag"] == f'"{answer.json()["next_cursor"]}"'


async def test_a_caller_is_tested_with_its_own_token(database: Database) -> None:
    async with (
        status_server(database) as url,
        opened(
            database, RAGLIVE_STATUS_INTERNAL_URL=url, client="10.0.0.7", signed_in=False
        ) as http,
    ):
        assert (await http.post("/api/socket/test", json={})).status_code == 401
        assert (await check(http, **bearer("*"))).success


async def test_an_unavailable_status_server_is_reported(http: AsyncClient) -> None:
    found = await info(http)
    assert (found.available, found.health, found.latency) == (False, "unavailable", None)
    assert found.features.fallback_polling
    assert not found.features.realtime_updates
    tested = await check(http)
    assert (tested.success, tested.server_info) == (False, None)
    assert tested.error


async def test_a_status_server_that_hangs_costs_little_time(database: Database) -> None:
    async def say_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    hanging = await asyncio.start_server(say_nothing, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{hanging.sockets[0].getsockname()[1]}"
    async with hanging, opened(database, RAGLIVE_STATUS_INTERNAL_URL=url) as http:
        async with asyncio.timeout(3):
            assert not (await info(http)).available
        async with asyncio.timeout(10):
            tested = await check(http)
        assert not tested.success
        assert tested.error


@pytest.mark.parametrize("body", [{"pipelineType": "tape"}, {"pipelineType": "S 3"}, {"x": 1}])
async def test_a_type_without_a_namespace_is_refused(
    http: AsyncClient, body: dict[str, object]
) -> None:
    refused = await http.post("/api/socket/test", json=body)
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "invalid_request")


async def test_health_reports_every_service(database: Database) -> None:
    async def health(http: AsyncClient) -> SystemHealth:
        answer = await http.get("/api/health")
        found = SystemHealth.model_validate(answer.json())
        assert (answer.status_code, answer.headers["X-Health-Status"]) == (200, found.status)
        return found

    async with (
        status_server(database) as url,
        opened(database, RAGLIVE_STATUS_INTERNAL_URL=url) as http,
    ):
        record = await PipelineRecord.register(database, "p", "local_files")
        await record.announce_online(60, "/documents")
        found = await health(http)
        assert found.services.database.latency is not None
        assert found.services.websocket.connected_clients == 0
        assert found.services.rag_pipelines["local_files"].status == "healthy"
        assert found.status == "healthy"

        await record.set_problem("folder_missing", "The folder is gone.")
        other = await PipelineRecord.register(database, "q", "s3")
        await http.get("/api/rag-status", params={"cursor": f"{'0' * 16}.{'0' * 16}"})
        found = await health(http)
        assert found.services.rag_pipelines["local_files"].status == "degraded"
        assert found.services.rag_pipelines["s3"].status == "unhealthy"
        assert found.services.rag_pipelines["s3"].last_heartbeat is None
        assert (found.status, other.pipeline_type) == ("degraded", "s3")
