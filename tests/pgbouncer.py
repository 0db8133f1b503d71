"""PgBouncer in front of a database of the tests, as an ordinary process."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest

__all__ = ["running_pgbouncer"]

START_SECONDS = 10.0
POOL_SIZE = 3
_CONFIGURATION = """\
[databases]
* = host={host} port={port} user={user} password={password}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen_port}
unix_socket_dir =
auth_type = any
pool_mode = {mode}
default_pool_size = {pool_size}
server_round_robin = {round_robin}
"""


@asynccontextmanager
async def running_pgbouncer(
    dsn: str, mode: str, *, round_robin: bool = False, pool_size: int = POOL_SIZE
) -> AsyncIterator[str]:
    """Yield the address of the database through a pooler; skip where it is not installed."""
    program = shutil.which("pgbouncer", path=os.environ.get("PATH", "") + ":/usr/sbin")
    if program is None:
        pytest.skip("pgbouncer is not installed: apt install pgbouncer")
    place = urlsplit(dsn)
    listen_port = _free_port()
    with tempfile.TemporaryDirectory(prefix="raglive-pgbouncer-") as folder:
        file = Path(folder) / "pgbouncer.ini"
        file.write_text(
            _CONFIGURATION.format(
                host=place.hostname,
                port=place.port,
                user=place.username,
                password=place.password,
                listen_port=listen_port,
                mode=mode,
                pool_size=pool_size,
                round_robin=int(round_robin),
            ),
            "utf-8",
        )
        account = _readable_by_ordinary_account(Path(folder), file)
        process = await asyncio.create_subprocess_exec(
            program, "-q", *account, str(file), stderr=asyncio.subprocess.DEVNULL
        )
        try:
            address = place._replace(netloc=f"{place.username}:any@127.0.0.1:{listen_port}")
            await _wait_for(address.geturl())
            yield address.geturl()
        finally:
            process.kill()
            await process.wait()


def _readable_by_ordinary_account(folder: Path, file: Path) -> list[str]:
    """Return the option with which PgBouncer, which refuses to run as root, changes its account."""
    if os.geteuid() != 0:
        return []
    folder.chmod(0o755)
    file.chmod(0o644)
    return ["-u", "nobody"]


async def _wait_for(address: str) -> None:
    async with asyncio.timeout(START_SECONDS):
        while True:
            try:
                connection = await asyncpg.connect(address, statement_cache_size=0)
            except (OSError, asyncpg.PostgresError):
                await asyncio.sleep(0.01)
            else:
                await connection.close()
                return


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
