"""What goes wrong: servers and the database are killed, or stopped and started again."""

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

__all__ = ["UPHEAVALS", "World"]

SERVERS = 2
SECONDS = 60

UPHEAVALS = ("a server is killed", "a server stops", "the database is killed", "the database stops")


class World:
    """A database and status servers, each a process of its own, all of them restarted."""

    def __init__(self, folder: Path, postgres: EmbeddedPostgres, database: Database) -> None:
        self._folder = folder
        self._postgres = postgres
        self._restarted = asyncio.Event()
        self._ports = [free_port() for _ in range(SERVERS)]
        self._processes: list[asyncio.subprocess.Process] = []
        self.database = database

    @property
    def servers(self) -> list[str]:
        """Return the addresses of the status servers."""
        return [f"http://127.0.0.1:{port}" for port in self._ports]

    @classmethod
    @asynccontextmanager
    async def opened(cls, folder: Path) -> AsyncIterator[World]:
        """Start everything, and end it."""

        async def on_restart() -> None:
            world._restarted.set()

        async with EmbeddedPostgres(folder, password="tests", on_restart=on_restart) as postgres:
            supervision = asyncio.create_task(postgres.supervise())
            await migrate(postgres.dsn)
            database = await Database.connect(postgres.dsn, name="chaos")
            world = cls(folder, postgres, database)
            try:
                for server in range(SERVERS):
                    world._processes.append(await world._serve(server))
                yield world
            finally:
                for process in world._processes:
                    await _kill(process)
                await database.close()
        await supervision

    async def suffer(self, upheaval: str, server: int) -> None:
        """Bring it about, and return when everything is there again."""
        match upheaval:
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
            case _:
                raise ValueError(upheaval)

    async def _serve(self, server: int) -> asyncio.subprocess.Process:
        with (self._folder / f"server-{server}.log").open("ab") as output:
            return await spawn(self.database, self._ports[server], output)

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
