"""Both servers conform to their OpenAPI documents for any request.

schemathesis generates valid and invalid requests; OPENAPI_EXAMPLES sets their number. A run draws
one of the servers.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
import structlog
from starlette.types import ASGIApp

from raglive.app.dashboard_server import dashboard_config
from raglive.app.embedder import search_config
from raglive.app.serving import serve_http
from raglive.app.status_server import status_server_config
from raglive.bus.postgres import PostgresBus
from raglive.dashboard.server import create_dashboard
from raglive.search.service import SearchService
from raglive.settings import read_settings
from raglive.status_server.server import StatusServer
from raglive.store.pool import Database
from raglive.store.registry.pipelines import PipelineRecord
from raglive_contract.permissions import Role
from tests.integration.dashboard.serving import Work
from tests.integration.status_server.serving import TOKENS, free_port, ready, token

EXAMPLES = os.environ.get("OPENAPI_EXAMPLES", "5")
CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
UNLIMITED = {
    "RAGLIVE_SUBJECT_REQUESTS_PER_SECOND": "1000000",
    "RAGLIVE_PIPELINE_EVENTS_PER_SECOND": "1000000",
}


@pytest.fixture
async def files(pipeline: PipelineRecord) -> None:
    """Files in several states, so that listings are not empty."""
    work = Work(pipeline)
    await work.complete("a.txt")
    await work.fail("b.txt")
    await work.queue("c.txt")


@asynccontextmanager
async def served(app: ASGIApp, port: int) -> AsyncIterator[str]:
    stop = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(serve_http(app, "127.0.0.1", port, stop, max_connections=1000))
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        stop.set_result(None)
        await serving


async def keeps_to(document: str) -> None:
    """Test every operation of a document; fail with the report of schemathesis."""
    arguments = ["--config-file", str(CONFIGURATION), "run", document]
    arguments += ["--checks", "all", "--max-examples", EXAMPLES, "--no-color"]
    arguments += ["--header", f"Authorization: Bearer {token(Role.ADMIN)}"]
    with structlog.testing.capture_logs() as lines:
        process = await asyncio.create_subprocess_exec(
            SCHEMATHESIS,
            *arguments,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            output, _ = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    shown = "\n".join(line[:500] for line in output.decode().splitlines())
    assert process.returncode == 0, shown
    assert not [line for line in lines if line["log_level"] == "error" or "exc_info" in line]


@asynccontextmanager
async def status_server(database: Database) -> AsyncIterator[str]:
    port = free_port()
    settings = read_settings({"SOCKET_IO_PORT": str(port)} | UNLIMITED)
    search = SearchService(database, search_config(settings))
    async with PostgresBus(database.dsn) as bus:
        status = StatusServer(status_server_config(settings), database, TOKENS, search, bus)
        async with served(status.asgi, port) as url:
            await ready(url)
            yield f"{url}/openapi.json"


@asynccontextmanager
async def dashboard_server(database: Database) -> AsyncIterator[str]:
    settings = read_settings({"RAGLIVE_STATUS_INTERNAL_URL": "http://127.0.0.1:9"} | UNLIMITED)
    async with PostgresBus(database.dsn) as bus:
        search = SearchService(database, search_config(settings))
        config, nothing = dashboard_config(settings), Path("/nonexistent")
        app = create_dashboard(config, database, TOKENS, bus, search, app_folder=nothing)
        async with served(app, free_port()) as url:
            app.state.release_waiting()  # long polls would delay the test
            yield f"{url}/api/openapi.json"


@pytest.mark.drawn(1)
@pytest.mark.timeout(600)
@pytest.mark.parametrize("opened", [status_server, dashboard_server])
@pytest.mark.usefixtures("files")
async def test_it_keeps_to_its_document(
    opened: Callable[[Database], AbstractAsyncContextManager[str]], database: Database
) -> None:
    async with opened(database) as document:
        await keeps_to(document)
