from __future__ import annotations

import asyncio
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from raglive.local_stack.embedded_postgres import (
    EmbeddedPostgres,
    EmbeddedPostgresError,
    supervisor,
)
from raglive.local_stack.embedded_postgres.account import choose_account
from raglive.local_stack.embedded_postgres.binaries import find_binaries

from .other_process import PASSWORD, SECONDS, ended, execute, serving, spawn


async def test_a_killed_server_is_restarted_with_every_committed_row(data_dir: Path) -> None:
    restarted = asyncio.Queue[None]()

    async def on_restart() -> None:
        restarted.put_nowait(None)

    async with EmbeddedPostgres(data_dir, password=PASSWORD, on_restart=on_restart) as postgres:
        supervision = asyncio.create_task(postgres.supervise())
        dsn = postgres.dsn
        await execute(dsn, "CREATE TABLE killed (n int)")
        for round_number in range(2):
            await execute(dsn, f"INSERT INTO killed VALUES ({round_number})")
            assert postgres.pid
            os.kill(postgres.pid, signal.SIGKILL)
            await asyncio.wait_for(restarted.get(), SECONDS)
            assert postgres.dsn == dsn
            assert await execute(dsn, "SELECT n FROM killed") == f"SELECT {round_number + 1}"
        await execute(dsn, "DROP TABLE killed")
    await supervision


async def test_a_killed_supervisor_does_not_prevent_a_restart(data_dir: Path) -> None:
    async with serving(data_dir) as other:
        await execute(other.dsn, "CREATE TABLE survived AS SELECT 1 AS n")
        other.process.kill()
        if sys.platform.startswith("linux"):
            await ended(other.postmaster)
        async with EmbeddedPostgres(data_dir, password=PASSWORD) as postgres:
            assert await execute(postgres.dsn, "SELECT n FROM survived") == "SELECT 1"
            await execute(postgres.dsn, "DROP TABLE survived")


async def test_everything_killed_at_once(data_dir: Path) -> None:
    async with serving(data_dir) as other:
        await execute(other.dsn, "CREATE TABLE all_killed AS SELECT 1 AS n")
        parent = psutil.Process(other.process.pid)
        for process in (parent, *parent.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):  # the others end with their parent
                process.kill()
        async with EmbeddedPostgres(data_dir, password=PASSWORD) as postgres:
            assert await execute(postgres.dsn, "DROP TABLE all_killed") == "DROP TABLE"


async def test_an_orphan_is_stopped_and_replaced(data_dir: Path) -> None:
    async with EmbeddedPostgres(data_dir, password=PASSWORD):
        pass
    cluster = data_dir / "postgres" / "cluster"
    account = await choose_account(find_binaries(), cluster)
    command = account.command(
        "postgres", "-D", account.cluster_argument(cluster), death_signal=signal.SIGKILL
    )
    orphan = await asyncio.create_subprocess_exec(
        *command, cwd=cluster, stderr=asyncio.subprocess.PIPE
    )
    assert orphan.stderr
    async with asyncio.timeout(SECONDS):
        while b"ready to accept" not in (line := await orphan.stderr.readline()):
            assert line
    async with EmbeddedPostgres(data_dir, password=PASSWORD) as postgres:
        assert postgres.pid != orphan.pid
        assert await asyncio.wait_for(orphan.wait(), SECONDS) == 0


async def test_a_pid_file_that_names_a_foreign_process_is_dropped(data_dir: Path) -> None:
    async with EmbeddedPostgres(data_dir, password=PASSWORD) as postgres:
        port, sockets = postgres.port, Path(postgres.socket_dir)
    cluster = data_dir / "postgres" / "cluster"
    foreign = f"{os.getpid()}\n{cluster}\n1\n{port}\n{sockets}\n127.0.0.1\n1 1\nready\n"
    (cluster / "postmaster.pid").write_text(foreign)
    sockets.joinpath(f".s.PGSQL.{port}.lock").write_text(foreign)
    async with EmbeddedPostgres(data_dir, password=PASSWORD) as postgres:
        assert postgres.port == port


async def test_an_interrupted_initialisation_is_begun_again(tmp_path: Path) -> None:
    process = await spawn(tmp_path)
    async with asyncio.timeout(SECONDS):
        while not [*tmp_path.glob("postgres/cluster.new-*/base/1/*")]:
            await asyncio.sleep(0.001)  # only the file shows that initdb runs
    process.kill()
    await process.wait()
    assert not (tmp_path / "postgres" / "cluster").exists()
    async with EmbeddedPostgres(tmp_path, password=PASSWORD) as postgres:
        assert await execute(postgres.dsn, "SELECT '[1]'::vector") == "SELECT 1"
    assert not [*tmp_path.glob("postgres/cluster.new-*")]


async def test_a_server_that_keeps_ending_is_not_restarted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "_BACK_OFF_SECONDS", (0.0, 0.01))
    async with EmbeddedPostgres(tmp_path, password=PASSWORD) as postgres:
        (tmp_path / "postgres" / "cluster" / "global" / "pg_control").write_bytes(b"damaged")
        assert postgres.pid
        os.kill(postgres.pid, signal.SIGKILL)
        with pytest.raises(
            EmbeddedPostgresError, match=r"(?s)3 times in a row.*damaged.*pg_control"
        ):
            await asyncio.wait_for(postgres.supervise(), SECONDS)
