"""A primary server with a streaming standby, or a standby alone."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from raglive.local_stack.embedded_postgres.account import Account, choose_account
from raglive.local_stack.embedded_postgres.binaries import find_binaries
from raglive.local_stack.embedded_postgres.cluster import DATABASE, ROLE, create_cluster
from raglive.local_stack.embedded_postgres.configuration import choose_port, write_settings
from raglive.local_stack.embedded_postgres.folder import DatabaseFolder
from raglive.local_stack.embedded_postgres.process import ServerProcess, run_program
from raglive.local_stack.log_file import LogFile

__all__ = ["Server", "running_pair", "running_standby"]

PASSWORD = "for-tests-only"
START_SECONDS = 20.0
_SETTINGS = "wal_level = replica\nmax_wal_senders = 2\nunix_socket_directories = ''\nfsync = off\n"
_MAY_REPLICATE = f"ALTER ROLE {ROLE} REPLICATION;\n"
_ACCESS = "host replication all 127.0.0.1/32 scram-sha-256\n"


class Server:
    """A server with a cluster of its own."""

    def __init__(self, folder: DatabaseFolder, account: Account) -> None:
        self._folder = folder
        self._account = account
        self._process: ServerProcess | None = None
        self.port = choose_port(None, None)
        write_settings(folder.cluster, port=self.port, socket_folder=folder.path)

    @classmethod
    async def create(cls, path: Path, statement: str = "SELECT 1;\n") -> Server:
        """Create an empty cluster, and run a statement in it."""
        folder = DatabaseFolder(path)
        folder.path.mkdir(parents=True)
        account = await choose_account(find_binaries(), folder.cluster)
        await create_cluster(folder, account, PASSWORD)
        server = cls(folder, account)
        server._write("custom.conf", _SETTINGS)
        where = ("-D", account.cluster_argument(folder.cluster))
        once = account.command(
            "postgres", "--single", *where, DATABASE, death_signal=signal.SIGKILL
        )
        status, output = await run_program(once, folder.cluster, statement)
        assert status == 0, output
        return server

    def copy(self, path: Path) -> Server:
        """Copy the stopped server as a standby that streams from it."""
        folder = DatabaseFolder(path)
        shutil.copytree(self._folder.path, path)
        for copied in (folder.path, *folder.path.rglob("*")):
            original = (self._folder.path / copied.relative_to(folder.path)).stat()
            os.chown(copied, original.st_uid, original.st_gid)
        server = Server(folder, self._account)
        origin = f"host=127.0.0.1 port={self.port} user={ROLE} password={PASSWORD}"
        server._write("custom.conf", f"{_SETTINGS}primary_conninfo = '{origin}'\n")
        server.stand_by()
        return server

    @property
    def place(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    @property
    def dsn(self) -> str:
        """The address of its database."""
        return address(self.place)

    def stand_by(self) -> None:
        """Let it start as a standby."""
        self._write("standby.signal", "")

    async def start(self) -> None:
        """Start it, and wait until it accepts connections."""
        log = LogFile(self._folder.path / "server.log")
        with log.open() as output:
            where = ("-D", self._account.cluster_argument(self._folder.cluster))
            command = self._account.command("postgres", *where, death_signal=signal.SIGQUIT)
            self._process = await ServerProcess.spawn(command, self._folder.cluster, output)
        async with asyncio.timeout(START_SECONDS):
            while not await _accepts(self.dsn):
                assert self._process.alive, log.since_start()
                await asyncio.sleep(0.05)

    async def stop(self) -> None:
        """Stop it at once, as a crash does."""
        process, self._process = self._process, None
        if process is not None:
            await process.stop(0)

    def promote(self) -> None:
        """Make the standby a primary server, as `pg_ctl promote` does."""
        assert self._process is not None
        self._write("promote", "")
        postmaster = (self._folder.cluster / "postmaster.pid").read_text().splitlines()[0]
        os.kill(int(postmaster), signal.SIGUSR1)

    def _write(self, name: str, text: str) -> None:
        file = self._folder.cluster / name
        file.write_text(text)
        owner = (self._folder.cluster / "PG_VERSION").stat()
        os.chown(file, owner.st_uid, owner.st_gid)


def address(*places: str) -> str:
    """Return the address of a database on one of several servers."""
    return f"postgresql://{ROLE}:{PASSWORD}@{','.join(places)}/{DATABASE}"


@asynccontextmanager
async def running_pair(path: Path) -> AsyncIterator[tuple[Server, Server]]:
    """Run a primary server and its standby, which replicates without delaying commits."""
    primary = await Server.create(path / "primary", _MAY_REPLICATE)
    rules = path / "primary" / "cluster" / "pg_hba.conf"
    rules.write_text(rules.read_text() + _ACCESS)
    standby = primary.copy(path / "standby")
    try:
        await primary.start()
        await standby.start()
        yield primary, standby
    finally:
        await standby.stop()
        await primary.stop()


@asynccontextmanager
async def running_standby(path: Path) -> AsyncIterator[str]:
    """Yield the address of an empty database on a standby without a primary server."""
    server = await Server.create(path)
    server.stand_by()
    try:
        await server.start()
        yield server.dsn
    finally:
        await server.stop()


async def _accepts(dsn: str) -> bool:
    try:
        connection = await asyncpg.connect(dsn)
    except (OSError, asyncpg.PostgresError):
        return False
    await connection.close()
    return True
