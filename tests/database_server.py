"""The Postgres server that all tests of a run share, in all processes.

pytest's main process owns it. The first test that needs the server asks for it over a Unix socket.
The server stops at the end of the run, also when the run is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import socket
import tempfile
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from hashlib import sha256
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from raglive.local_stack.embedded_postgres import EmbeddedPostgres
from raglive.store.migrate import all_migrations, migrate

__all__ = ["DatabaseServer", "ask_for_template", "at_database", "connected"]

URL_VARIABLE = "RAGLIVE_TEST_DATABASE_URL"
START_SECONDS = 120.0
# Test data need not survive a power failure.
_FAST = "fsync = off\nfull_page_writes = off\nautovacuum_naptime = 1h\n"


class DatabaseServer:
    """Owns the server, and tells tests the address of its migrated template."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="raglive-tests-"))
        self._thread = threading.Thread(target=asyncio.run, args=(self._serve(),))
        self._listening = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end = asyncio.Event()
        self._starting = asyncio.Lock()
        self._resources = contextlib.AsyncExitStack()
        self._found: dict[str, str] = {}

    @property
    def address(self) -> str:
        """Return the path of the socket on which tests ask."""
        return str(self._folder / "ask")

    def start(self) -> None:
        """Start to answer; the first request starts the server itself."""
        self._thread.start()
        if not self._listening.wait(10):
            raise TimeoutError("the owner of the tests' database did not start")

    def close(self) -> None:
        """Stop the server and remove its data."""
        if self._loop is not None and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join(60)
        shutil.rmtree(self._folder, ignore_errors=True)

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        async with self._resources:
            asking = await asyncio.start_unix_server(self._answer, self.address)
            async with asking:
                self._listening.set()
                await self._end.wait()

    async def _answer(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with self._starting:
            if not self._found:
                self._found = await self._start()
        with contextlib.suppress(OSError):
            writer.write(json.dumps(self._found).encode())
            await writer.drain()
        writer.close()

    async def _start(self) -> dict[str, str]:
        dsn = os.environ.get(URL_VARIABLE)
        try:
            if not dsn:
                dsn = await self._resources.enter_async_context(_embedded(self._folder))
            return {"dsn": await _make_template(dsn)}
        except Exception as error:  # every test gets the error, whatever it is
            return {"error": f"{type(error).__name__}: {error}"}


@asynccontextmanager
async def _embedded(folder: Path) -> AsyncIterator[str]:
    async with EmbeddedPostgres(folder, password="for-tests-only") as server:
        settings = folder / "postgres" / "cluster" / "postgresql.conf"
        owner = settings.stat()
        custom = settings.with_name("custom.conf")
        custom.write_text(_FAST)
        os.chown(custom, owner.st_uid, owner.st_gid)
        assert server.pid is not None
        os.kill(server.pid, signal.SIGHUP)
        yield server.dsn


async def _make_template(dsn: str) -> str:
    """Migrate a database once for each version of the schema; tests use copies of it."""
    versions = "".join(migration.sha256 for migration in all_migrations())
    name = f"raglive_template_{sha256(versions.encode()).hexdigest()[:12]}"
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        await connection.execute("SELECT pg_advisory_lock(hashtext($1))", name)
        if not await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", name):
            unfinished = f"{name}_unfinished"
            await connection.execute(f"DROP DATABASE IF EXISTS {unfinished} WITH (FORCE)")
            await connection.execute(f"CREATE DATABASE {unfinished}")
            await migrate(at_database(dsn, unfinished))
            await _forget_origin(at_database(dsn, unfinished))
            await connection.execute(f"ALTER DATABASE {unfinished} RENAME TO {name}")
    finally:
        await connection.close()
    return at_database(dsn, name)


async def _forget_origin(dsn: str) -> None:
    """Let copies of the template be new databases rather than restored ones."""
    connection = await asyncpg.connect(dsn, timeout=10)
    try:
        await connection.execute("DELETE FROM raglive.origin")
    finally:
        await connection.close()


def at_database(dsn: str, name: str) -> str:
    """Return the address of another database on the same server."""
    return urlunsplit(urlsplit(dsn)._replace(path=f"/{name}"))


def ask_for_template(address: str) -> str:
    """Return the template's address as soon as the server runs; from any process of the run."""
    with socket.socket(socket.AF_UNIX) as asking:
        asking.settimeout(START_SECONDS)
        asking.connect(address)
        received = b"".join(iter(lambda: asking.recv(4096), b""))
    answer = json.loads(received)
    if "error" in answer:
        raise RuntimeError(f"The tests' database did not start: {answer['error']}")
    return str(answer["dsn"])


@asynccontextmanager
async def connected(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection without a pool."""
    connection = await asyncpg.connect(dsn)
    try:
        yield connection
    finally:
        await connection.close()
