"""Injects faults: kills, or stops and restarts, status servers, the database and Redis."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from raglive.local_stack.embedded_postgres import EmbeddedPostgres
from raglive.store.migrate import migrate
from raglive.store.pool import Database
from tests.integration.status_server.serving import free_port, spawn
from tests.redis_server import RedisServer, running_redis

__all__ = ["FAULTS", "Cluster"]

SERVERS = 2
SECONDS = 60

FAULTS = (
    "a server is killed",
    "a server stops",
    "the database is killed",
    "the database stops",
    "Redis is killed",
    "Redis hangs",
)
HANG_SECONDS = 3.0


class Cluster:
    """A database, Redis and status servers in separate processes, restarted after each fault."""

    def __init__(
        self, folder: Path, postgres: EmbeddedPostgres, redis: RedisServer, database: Database
    ) -> None:
        self._folder = folder
        self._postgres = postgres
        self._redis = redis
        self._restarted = asyncio.Event()
        self._ports = [free_port() for _ in range(SERVERS)]
        self._processes: list[asyncio.subprocess.Process] = []
        self.database = database

    @property
    def servers(self) -> list[str]:
        """The URLs of the status servers."""
        return [f"http://127.0.0.1:{port}" for port in self._ports]

    @classmethod
    @asynccontextmanager
    async def opened(cls, folder: Path) -> AsyncIterator[Cluster]:
        """Start the database and the servers, and stop them after the block."""

        async def on_restart() -> None:
            cluster._restarted.set()

        async with (
            running_redis() as redis,
            EmbeddedPostgres(folder, password="tests", on_restart=on_restart) as postgres,
        ):
            supervision = asyncio.create_task(postgres.supervise())
            await migrate(postgres.dsn)
            database = await Database.connect(postgres.dsn, name="chaos")
            cluster = cls(folder, postgres, redis, database)
            try:
                for server in range(SERVERS):
                    cluster._processes.append(await cluster._serve(server))
                yield cluster
            finally:
                for process in cluster._processes:
                    await _kill(process)
                await database.close()
        await supervision

    async def inject(self, fault: str, server: int) -> None:
        """Inject a fault, and return when everything has been restarted."""
        match fault:
            case "a server is killed":
                await _kill(self._processes[server])
                self._processes[server] = await self._serve(server)
            case "a server stops":
                async with asyncio.timeout(SECONDS):
                    await self._processes[server].communicate(b"")
                self._processes[server] = await self._serve(server)
            case "the database is killed":
                await self._end_database(signal.SIGKILL)
            case "the database stops":
                await self._end_database(signal.SIGINT)
            case "Redis is killed":
                await self._redis.kill()
                await self._redis.start()
            case "Redis hangs":
                self._redis.suspend()
                await asyncio.sleep(HANG_SECONDS)
                self._redis.resume()
            case _:
                raise ValueError(fault)

    async def _serve(self, server: int) -> asyncio.subprocess.Process:
        with (self._folder / f"server-{server}.log").open("ab") as output:
            port, redis_url = self._ports[server], self._redis.url
            return await spawn(self.database, port, output, redis_url=redis_url)

    async def _end_database(self, how: signal.Signals) -> None:
        assert self._postgres.pid is not None
        self._restarted.clear()
        os.kill(self._postgres.pid, how)
        async with asyncio.timeout(SECONDS):
            await self._restarted.wait()


async def _kill(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()
    await process.communicate()
