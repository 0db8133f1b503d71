"""A status server on its own port, and events to publish to it."""

from __future__ import annotations

import asyncio
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import IO, Any

from httpx import AsyncClient, HTTPError
from uuid6 import uuid7

from raglive.app.bus import open_bus
from raglive.app.embedder import search_config
from raglive.app.status_server import status_server_config
from raglive.http_api.tokens import Tokens
from raglive.search.service import SearchService
from raglive.settings import read_settings
from raglive.status_server.server import StatusServer
from raglive.status_server.timeouts import TIMEOUTS, Timeouts
from raglive.status_server.transport.http_server import HttpServer, http_server
from raglive.store.pool import Database
from raglive_contract.permissions import Grant, Role

__all__ = [
    "SECRET",
    "TOKENS",
    "Serving",
    "completed",
    "free_port",
    "now",
    "offline",
    "online",
    "processing",
    "progress",
    "publish",
    "ready",
    "serving",
    "spawn",
    "token",
    "update",
]

SECRET = "for-tests-only-" * 3
TOKENS = Tokens(SECRET)
START_SECONDS = 60
Event = dict[str, Any]


class Serving:
    """A running status server; `stop` has the effect of SIGTERM."""

    def __init__(self, url: str, status: StatusServer, http: HttpServer) -> None:
        self.url = url
        self.status = status
        self._http = http
        self._task = asyncio.create_task(http.serve(), name="uvicorn")

    async def started(self) -> None:
        """Wait until it serves and has read the log."""
        while not self._http.started:
            assert not self._task.done(), "the server did not start"
            await asyncio.sleep(0.01)
        await ready(self.url)

    @asynccontextmanager
    async def client(self, role: Role = Role.ADMIN, *pipelines: str) -> AsyncIterator[AsyncClient]:
        """An HTTP client with a token."""
        headers = {"Authorization": f"Bearer {token(role, *pipelines)}"}
        async with AsyncClient(base_url=self.url, headers=headers, timeout=30) as client:
            yield client

    async def stop(self) -> None:
        if not self._task.done():
            await self.status.drain()
            self._http.should_exit = True
        await self._task


async def ready(url: str) -> None:
    """Wait until a server answers that it is ready."""
    async with asyncio.timeout(START_SECONDS), AsyncClient(base_url=url) as client:
        while True:
            with suppress(HTTPError):
                if (await client.get("/health/ready")).status_code == 200:
                    return
            await asyncio.sleep(0.02)


async def spawn(
    database: Database, port: int, output: IO[bytes] | None = None, *, redis_url: str = ""
) -> asyncio.subprocess.Process:
    """Serve in another process, until it is killed or its input is closed.

    Its output goes to `output`; without one, its errors go to the process' `stderr`.
    """
    command = [sys.executable, "-m", "tests.integration.status_server.run_server"]
    process = await asyncio.create_subprocess_exec(
        *command,
        database.dsn,
        str(port),
        redis_url,
        stdin=asyncio.subprocess.PIPE,
        stdout=output or asyncio.subprocess.DEVNULL,
        stderr=output or asyncio.subprocess.PIPE,
    )
    await ready(f"http://127.0.0.1:{port}")
    return process


@asynccontextmanager
async def serving(
    database: Database,
    *,
    timeouts: Timeouts = TIMEOUTS,
    port: int | None = None,
    **environment: str,
) -> AsyncIterator[Serving]:
    """Serve as `raglive server` does, in this process."""
    port = port or free_port()
    settings = read_settings({"SOCKET_IO_PORT": str(port)} | environment)
    config = replace(status_server_config(settings), timeouts=timeouts)
    search = SearchService(database, search_config(settings))
    async with open_bus(settings, database) as bus:
        status = StatusServer(config, database, TOKENS, search, bus)
        http = http_server(
            status.asgi,
            "127.0.0.1",
            port,
            max_connections=2 * settings.max_connections,
            trusted_proxies=["127.0.0.1"],
        )
        running = Serving(f"http://127.0.0.1:{port}", status, http)
        try:
            await running.started()
            yield running
        finally:
            await running.stop()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def token(
    role: Role = Role.VIEWER,
    *pipelines: str,
    ttl: float = 3600,
    subject: str = "tester",
    redact: bool = False,
) -> str:
    """Return a token, for all pipelines unless some are named."""
    return TOKENS.issue(Grant(role, pipelines or ("*",), redact), ttl, subject)


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _event(event_type: str, **fields: Any) -> Event:
    return {"id": str(uuid7()), "type": event_type} | fields


def online() -> Event:
    fields = {"started_at": now(), "check_interval": 60, "watch_location": "/documents"}
    return _event("pipeline:online", **fields)


def offline() -> Event:
    return _event("pipeline:offline", shutdown_at=now(), reason="normal_shutdown")


def processing(file_id: str, attempt: int = 1) -> Event:
    file = {"id": file_id, "name": f"{file_id}.pdf", "started_at": now()}
    return _event("file:processing", file=file, processing_stage="extraction", attempt=attempt)


def progress(file_id: str, done: float, attempt: int = 1) -> Event:
    return _event(
        "file:progress",
        file={"id": file_id, "name": f"{file_id}.pdf"},
        processing_stage="embedding",
        progress=done,
        attempt=attempt,
    )


def completed(file_id: str, attempt: int = 1) -> Event:
    results = {
        "chunks_created": 1,
        "embeddings_generated": 1,
        "processing_duration": 0.5,
        "content_length": 20,
    }
    file = {"id": file_id, "name": f"{file_id}.pdf", "completed_at": now()}
    return _event("file:completed", file=file, results=results, success=True, attempt=attempt)


def update(**changes: Any) -> Event:
    return _event("status:update", changes=changes)


async def publish(
    database: Database,
    events: Sequence[Event],
    pipeline_id: str = "local-files-pipeline",
    pipeline_type: str = "local_files",
) -> str:
    """Publish by SQL, and return the cursor."""
    cursor: str = await database.fetchval(
        "SELECT cursor FROM raglive.publish_batch($1, $2, $3)",
        pipeline_id,
        list(events),
        pipeline_type,
    )
    return cursor
