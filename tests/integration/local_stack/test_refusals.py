from __future__ import annotations

import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from raglive.local_stack.embedded_postgres import (
    AlreadyRunningError,
    EmbeddedPostgres,
    EmbeddedPostgresError,
)

from .other_process import PASSWORD, serving


async def start(folder: Path, port: int | None = None, seconds: float = 60) -> None:
    async with EmbeddedPostgres(
        folder, port=port, password=PASSWORD, start_timeout_seconds=seconds
    ):
        pass


async def test_a_second_start_on_the_same_folder_names_the_first(
    data_dir: Path, postgres: EmbeddedPostgres
) -> None:
    with pytest.raises(AlreadyRunningError, match=f"process {os.getpid()} .*{data_dir}"):
        await start(data_dir)
    assert postgres.pid


async def test_a_second_process_names_the_running_one(data_dir: Path) -> None:
    async with serving(data_dir) as other:
        with pytest.raises(AlreadyRunningError) as refusal:
            await start(data_dir)
        assert refusal.value.pid == other.process.pid


async def test_a_requested_port_in_use_is_named(data_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(EmbeddedPostgresError, match=f"Port {port} .* in use"):
            await start(data_dir, port=port)
    await start(data_dir)  # the folder was released


async def test_a_folder_that_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(EmbeddedPostgresError, match=r"Not a directory: .*/file"):
        await start(tmp_path / "file")


async def test_a_folder_whose_permissions_cannot_be_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "postgres").mkdir(mode=0o755)
    monkeypatch.setattr(Path, "chmod", lambda *_: None)  # as a Windows drive does
    with pytest.raises(EmbeddedPostgresError, match="cannot be set to private"):
        await start(tmp_path)


@pytest.mark.parametrize(
    ("version", "message"), [("19\n", "made by Postgres 19"), ("", "PG_VERSION is missing")]
)
async def test_a_cluster_of_another_version_or_none_is_not_changed(
    tmp_path: Path, version: str, message: str
) -> None:
    cluster = tmp_path / "postgres" / "cluster"
    cluster.mkdir(parents=True)
    (cluster / "PG_VERSION").write_text(version)
    with pytest.raises(EmbeddedPostgresError, match=message):
        await start(tmp_path)
    assert [*cluster.iterdir()] == [cluster / "PG_VERSION"]


@pytest.mark.parametrize("password", ["", "pässword", "two\nlines"])
def test_a_password_that_clients_would_disagree_about(tmp_path: Path, password: str) -> None:
    with pytest.raises(EmbeddedPostgresError, match="printable ASCII"):
        EmbeddedPostgres(tmp_path, password=password)


async def test_a_start_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedPostgresError, match=r"not ready within 0\.05 seconds"):
        await start(tmp_path, seconds=0.05)
    await start(tmp_path)


@pytest.fixture
def tiny_disk(tmp_path: Path) -> Iterator[Path]:
    disk = tmp_path / "tiny"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=20m", "tmpfs", str(disk)]
    if os.geteuid() != 0 or subprocess.run(command, check=False).returncode != 0:
        pytest.skip("a small disk can only be mounted as root on Linux")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


@pytest.mark.optional
async def test_a_full_disk_is_named(tiny_disk: Path) -> None:
    with pytest.raises(EmbeddedPostgresError, match=rf"disk that holds {tiny_disk}.* is full"):
        await start(tiny_disk)
