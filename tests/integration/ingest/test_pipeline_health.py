"""`GET /health` of a pipeline: healthy only while it works, and for allowed hosts only."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from starlette.types import ASGIApp

from raglive.app.pipeline import health_app
from raglive.ingest.pipeline_service import PipelineService
from raglive.store.pool import Database
from raglive.store.registry.pipelines import PipelineRecord
from tests.relay import Relay

from .ingesting import watching, wired

ANSWER_SECONDS = 5.0


@asynccontextmanager
async def asking(app: ASGIApp) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
        yield client


def app_of(service: PipelineService) -> ASGIApp:
    return health_app(service, service.metrics, "127.0.0.1", ["push.example"])


async def until_status(client: httpx.AsyncClient, code: int, status: str) -> httpx.Response:
    """Ask until the answer has this code and this status; every answer is in time."""
    async with asyncio.timeout(30):
        while True:
            async with asyncio.timeout(ANSWER_SECONDS):
                answer = await client.get("/health")
            if (answer.status_code, answer.json()["status"]) == (code, status):
                return answer
            await asyncio.sleep(0.05)


async def test_a_hanging_database_is_not_healthy_and_is_told_in_time(
    dsn: str, tmp_path: Path
) -> None:
    async with (
        Relay(dsn) as relay,
        watching(wired(relay.dsn, None), tmp_path) as service,
        asking(app_of(service)) as client,
    ):
        await until_status(client, 200, "healthy")
        assert (await client.get("/health/ready")).json() == {"status": "ready"}
        relay.stall()
        async with asyncio.timeout(ANSWER_SECONDS):
            answer = await client.get("/health")
        assert answer.status_code == 503
        assert (answer.json()["status"], answer.json()["database"]) == ("degraded", "unhealthy")
        assert (await client.get("/health/ready")).json()["error"]["code"] == "unavailable"
        assert (await client.get("/health/live")).json() == {"status": "alive"}
        await relay.restore()
        await until_status(client, 200, "healthy")


async def test_a_problem_is_not_healthy(dsn: str, database: Database, tmp_path: Path) -> None:
    async with (
        watching(wired(dsn, None), tmp_path) as service,
        asking(app_of(service)) as client,
    ):
        await until_status(client, 200, "healthy")
        record = await PipelineRecord.register(database, "local-files-pipeline", "local_files")
        await record.set_problem("auth_required", "Google refuses the credentials.")
        answer = await until_status(client, 200, "degraded")
        assert answer.json()["problem"] == "auth_required"


async def test_the_host_header_is_checked(dsn: str, tmp_path: Path) -> None:
    async with (
        watching(wired(dsn, None), tmp_path) as service,
        asking(app_of(service)) as client,
    ):
        for path in ("/health", "/metrics"):
            refused = await client.get(path, headers={"Host": "evil.example:8005"})
            assert refused.status_code == 421, path
            assert refused.json()["error"]["code"] == "host_not_allowed", path
            for host in ("localhost:8005", "push.example"):
                answer = await client.get(path, headers={"Host": host})
                assert answer.status_code in {200, 503}, (path, host)
