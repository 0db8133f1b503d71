from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from httpx import AsyncClient, Response

from raglive.bus.postgres import PostgresBus
from raglive.store.pool import Database
from raglive.store.registry.pipelines import PipelineRecord
from raglive_contract.http import SystemHealth
from tests.integration.dashboard.serving import opened
from tests.relay import Relay

PATHS = [
    "/api/rag-status",
    "/api/pipelines",
    "/api/pipelines/p/files",
    "/health/ready",
    "/api/health",
]


@asynccontextmanager
async def behind(relay: Relay) -> AsyncIterator[tuple[AsyncClient, Database]]:
    database = await Database.connect(relay.dsn, name="dashboard")
    try:
        async with (
            PostgresBus(relay.dsn) as bus,
            opened(database, bus=bus) as http,
        ):
            record = await PipelineRecord.register(database, "p", "local_files")
            await record.announce_online(60, "/documents")
            yield http, database
    finally:
        await relay.restore()
        await database.close()


async def until(http: AsyncClient, path: str, status: int) -> Response:
    async with asyncio.timeout(20):
        while (answer := await http.get(path)).status_code != status:
            pass
    return answer


@pytest.mark.parametrize("way", ["cut", "stall"])
async def test_without_the_database_every_answer_says_so_in_time(dsn: str, way: str) -> None:
    async with Relay(dsn) as relay, behind(relay) as (http, _):
        for path in PATHS:
            assert (await http.get(path)).status_code == 200
        if way == "cut":
            await relay.cut()
        else:
            relay.stall()
        await until(http, PATHS[0], 503)
        started = time.monotonic()
        answers = await asyncio.gather(*(http.get(path) for path in PATHS))
        assert time.monotonic() - started < 4  # twice the limit, on a busy machine
        assert {answer.status_code for answer in answers} == {503}
        assert (await http.get("/health/live")).json() == {"status": "alive"}
        for answer in answers[:-1]:
            error = answer.json()["error"]
            assert (error["code"], error["retryable"]) == ("unavailable", True)
            assert int(answer.headers["Retry-After"]) == 1
        health = SystemHealth.model_validate(answers[-1].json())
        assert health.services.database.status == answers[-1].headers["X-Health-Status"]
        assert health.services.database.error

        await relay.restore()
        for path in PATHS:
            await until(http, path, 200)


async def test_a_long_poll_reports_the_outage(dsn: str) -> None:
    async with Relay(dsn) as relay, behind(relay) as (http, _):
        waiting = asyncio.create_task(
            http.get(PATHS[0], params={"cursor": "now", "wait": 30}), name="waiting"
        )
        await http.get(PATHS[0])
        await relay.cut()
        async with asyncio.timeout(10):
            answer = await waiting
        assert answer.status_code == 503


async def test_hints_come_again_after_an_outage(dsn: str, database: Database) -> None:
    async with Relay(dsn) as relay, behind(relay) as (http, _):
        await relay.cut()
        await until(http, PATHS[0], 503)
        await relay.restore()
        await until(http, PATHS[0], 200)
        waiting = asyncio.create_task(http.get(PATHS[0], params={"cursor": "now", "wait": 30}))
        await http.get(PATHS[0])
        record = await PipelineRecord.register(database, "p", "local_files")
        await record.announce_offline("normal_shutdown")
        async with asyncio.timeout(10):
            events = (await waiting).json()["events"]
        assert [event["type"] for event in events] == ["pipeline:offline"]
