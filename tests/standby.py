"""A hot standby without a primary server: it accepts connections, and is read-only."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from raglive.local_stack.embedded_postgres.account import choose_account
from raglive.local_stack.embedded_postgres.binaries import find_binaries
from raglive.local_stack.embedded_postgres.cluster import DATABASE, ROLE, create_cluster
from raglive.local_stack.embedded_postgres.configuration import choose_port, write_settings
from raglive.local_stack.embedded_postgres.folder import DatabaseFolder
from raglive.local_stack.embedded_postgres.process import ServerProcess, run_program
from raglive.local_stack.log_file import LogFile

__all__ = ["running_standby"]

PASSWORD = "for-tests-only"
START_SECONDS = 20.0


@asynccontextmanager
async def running_standby(path: Path) -> AsyncIterator[str]:
    """Yield the address of an empty database on a standby in `path`."""
    folder = DatabaseFolder(path)
    folder.path.mkdir(parents=True, exist_ok=True)
    account = await choose_account(find_binaries(), folder.cluster)
    await create_cluster(folder, account, PASSWORD)
    port = choose_port(None, None)
    write_settings(folder.cluster, port=port, socket_folder=folder.path)
    settings = folder.cluster / "custom.conf"
    settings.write_text("wal_level = replica\nunix_socket_directories = ''\nfsync = off\n")
    where = ("-D", account.cluster_argument(folder.cluster))
    once = account.command("postgres", "--single", *where, DATABASE, death_signal=signal.SIGKILL)
    status, output = await run_program(once, folder.cluster, "SELECT 1;\n")
    assert status == 0, output
    mark = folder.cluster / "standby.signal"
    mark.touch()
    os.chown(mark, settings.stat().st_uid, settings.stat().st_gid)
    log = LogFile(path / "standby.log")
    with log.open() as output_file:
        command = account.command("postgres", *where, death_signal=signal.SIGQUIT)
        server = await ServerProcess.spawn(command, folder.cluster, output_file)
    dsn = f"postgresql://{ROLE}:{PASSWORD}@127.0.0.1:{port}/{DATABASE}"
    try:
        await _wait_for(dsn, server, log)
        yield dsn
    finally:
        await server.stop(1)


async def _wait_for(dsn: str, server: ServerProcess, log: LogFile) -> None:
    async with asyncio.timeout(START_SECONDS):
        while True:
            try:
                connection = await asyncpg.connect(dsn)
            except (OSError, asyncpg.PostgresError):
                assert server.alive, log.since_start()
                await asyncio.sleep(0.05)
            else:
                await connection.close()
                return
