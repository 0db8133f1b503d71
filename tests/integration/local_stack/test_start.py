from __future__ import annotations

import asyncio
import socket
import sys
from pathlib import Path

import asyncpg
import psutil
import pytest

from raglive.local_stack.embedded_postgres import EmbeddedPostgres
from raglive.local_stack.embedded_postgres.server import MAX_LOG_BYTES
from raglive.local_stack.log_file import LogFile, keep_small

from .other_process import execute


async def test_an_empty_folder_becomes_a_usable_database(
    postgres: EmbeddedPostgres,
) -> None:
    connection = await asyncpg.connect(postgres.dsn)
    try:
        for setting, value in {
            "data_checksums": "on",
            "fsync": "on",
            "synchronous_commit": "on",
            "server_encoding": "UTF8",
            "timezone": "UTC",
        }.items():
            assert await connection.fetchval("SELECT current_setting($1)", setting) == value
        assert await connection.fetchval("SELECT '[3,4]'::vector <-> '[0,0]'") == 5
        assert await connection.fetchval("SELECT lower('ÄÖÜ Москва')") == "äöü москва"
        assert not await connection.fetchval(
            "SELECT rolsuper FROM pg_roles WHERE rolname = current_user"
        )
    finally:
        await connection.close()


async def test_it_listens_on_this_machine_only_and_wants_the_password(
    postgres: EmbeddedPostgres,
) -> None:
    assert postgres.pid is not None
    listening = {
        connection.laddr
        for connection in psutil.Process(postgres.pid).net_connections(kind="tcp")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {("127.0.0.1", postgres.port)}
    assert Path(postgres.socket_dir).stat().st_mode & 0o777 == 0o700
    for host in ("127.0.0.1", postgres.socket_dir):
        for user in ("raglive", "postgres"):
            with pytest.raises(asyncpg.InvalidPasswordError):
                await asyncpg.connect(
                    host=host, port=postgres.port, user=user, password="wrong", database="raglive"
                )


async def test_port_and_rows_persist_and_a_new_password_takes_effect(data_dir: Path) -> None:
    async with EmbeddedPostgres(data_dir, password="first") as before:
        port = before.port
        await execute(before.dsn, "CREATE TABLE kept AS SELECT 1 AS n")
    async with EmbeddedPostgres(data_dir, password="se'cond $%/@:") as after:
        assert after.port == port
        assert await execute(after.dsn, "DROP TABLE kept") == "DROP TABLE"
    assert not psutil.pid_exists(before.pid or 0)
    written = (data_dir / "postgres" / "server.log").read_text()
    assert "first" not in written
    assert "se'cond" not in written


async def test_a_remembered_port_in_use_is_replaced(data_dir: Path) -> None:
    async with EmbeddedPostgres(data_dir, password="p") as before:
        taken = before.port
    with socket.create_server(("127.0.0.1", taken)):
        async with EmbeddedPostgres(data_dir, password="p") as after:
            assert after.port != taken


async def test_a_long_path_with_odd_characters_has_a_short_socket(tmp_path: Path) -> None:
    folder = tmp_path / 'it\'s "odd", \\ and {long}' / ("ü" * 60) / ("x" * 60)
    async with EmbeddedPostgres(folder, password="p") as postgres:
        connection = await asyncpg.connect(
            host=postgres.socket_dir,
            port=postgres.port,
            user="raglive",
            database="raglive",
            password="p",
        )
        await connection.close()
        outside = Path(postgres.socket_dir)
    assert not outside.exists()


async def test_supervision_ends_when_it_is_closed(data_dir: Path) -> None:
    async with EmbeddedPostgres(data_dir, password="p") as postgres:
        supervision = asyncio.create_task(postgres.supervise())
        await postgres.close()
        await asyncio.wait_for(supervision, 5)


def test_the_log_is_truncated_while_the_server_keeps_writing(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "server.log", MAX_LOG_BYTES)
    with log.open() as server:
        server.write(b"x" * 5_000_000 + b"before\n")
        server.flush()
        log.trim()
        server.write(b"after\n")
        server.flush()
    assert log.since_start() == "after"
    assert (tmp_path / "server.log.1").read_bytes().endswith(b"xbefore\n")
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 1_100_000


async def test_the_log_of_a_running_process_stays_small(tmp_path: Path) -> None:
    log = LogFile(tmp_path / "server.log", 100_000)
    program = (
        "import time\nfor n in range(10**6): print(n, 'x' * 1000, flush=True), time.sleep(.002)"
    )
    with log.open() as output:
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdout=output)
    rotation = asyncio.create_task(keep_small([log]))
    rotated = tmp_path / "server.log.1"
    try:
        async with asyncio.timeout(30):
            for _ in range(2):
                while not rotated.exists():
                    await asyncio.sleep(0.05)
                assert rotated.read_bytes().endswith(b"x\n")
                rotated.unlink()
    finally:
        rotation.cancel()
        process.kill()
        await process.wait()
    last = int(log.since_start().splitlines()[-1].split()[0])
    assert log.path.stat().st_size < last * 1000
