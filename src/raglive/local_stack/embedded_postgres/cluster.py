"""Creating a cluster, and changing it while its server is stopped."""

from __future__ import annotations

import asyncio
import ctypes
import hashlib
import hmac
import os
import shutil
import signal
import sys
from base64 import b64encode
from pathlib import Path

from raglive.local_stack.embedded_postgres.account import Account, hand_over
from raglive.local_stack.embedded_postgres.binaries import MAJOR_VERSION
from raglive.local_stack.embedded_postgres.configuration import write_fixed_files
from raglive.local_stack.embedded_postgres.errors import (
    EmbeddedPostgresError,
    advice_for,
    explain_os_errors,
)
from raglive.local_stack.embedded_postgres.folder import DatabaseFolder
from raglive.local_stack.embedded_postgres.process import run_program

__all__ = [
    "DATABASE",
    "ROLE",
    "check_cluster",
    "check_password",
    "create_cluster",
    "refresh_cluster",
    "scram_verifier",
]

ROLE = "raglive"
DATABASE = "raglive"

_INITDB_OPTIONS = (
    "--username=postgres",
    "--auth=reject",  # until pg_hba.conf is replaced, so that the superuser needs no password
    "--data-checksums",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--no-instructions",
    "--no-sync",  # everything is synced once, at the end
)

# In template1: only a superuser can create the extension, and databases created later need it too.
_SETUP = f"""\
CREATE EXTENSION vector;

CREATE ROLE {ROLE} LOGIN CREATEDB CREATEROLE PASSWORD '{{verifier}}';

CREATE DATABASE {DATABASE} OWNER {ROLE} STRATEGY file_copy;

"""
_REFRESH = f"""\
ALTER EXTENSION vector UPDATE;

ALTER ROLE {ROLE} PASSWORD '{{verifier}}';

"""


def check_cluster(cluster: Path) -> None:
    """Raise EmbeddedPostgresError unless the bundled programs can run `cluster`."""
    with explain_os_errors(cluster):
        try:
            version = (cluster / "PG_VERSION").read_text(errors="replace").strip()
        except FileNotFoundError:
            version = ""
    if not version.isdecimal():
        raise EmbeddedPostgresError(
            f"{cluster} is not a complete database: PG_VERSION is missing or unreadable. Restore a "
            "backup of that folder, or move the folder away and start again: raglive creates a new "
            "database and indexes the documents again."
        )
    if int(version) != MAJOR_VERSION:
        raise EmbeddedPostgresError(
            f"The database in {cluster} was made by Postgres {version}, and this raglive has "
            f"Postgres {MAJOR_VERSION}. Run the raglive that made it, or move the folder away "
            "and start again: raglive creates a new database and indexes the documents again."
        )


async def create_cluster(folder: DatabaseFolder, account: Account, password: str) -> None:
    """Create the cluster with its role, database and extension, atomically."""
    new = folder.new_cluster()
    try:
        with explain_os_errors(new):
            hand_over(new, account)
        initdb = account.command(
            "initdb",
            *_INITDB_OPTIONS,
            f"--pgdata={account.cluster_argument(new)}",
            death_signal=signal.SIGKILL,
        )
        status, output = await run_program(initdb, new)
        _refuse_unless(status == 0, "be created", output, folder.path)
        write_fixed_files(new)
        await _run_single(new, account, "template1", _SETUP, password)
        with explain_os_errors(new):
            await asyncio.to_thread(_sync, new)
            new.rename(folder.cluster)
            _sync_folder(folder.path)
    finally:
        shutil.rmtree(new, ignore_errors=True)


async def refresh_cluster(folder: DatabaseFolder, account: Account, password: str) -> None:
    """Set the password of the role, and update the extension to the bundled version."""
    for database in ("template1", DATABASE):
        await _run_single(folder.cluster, account, database, _REFRESH, password)


async def _run_single(
    cluster: Path, account: Account, database: str, script: str, password: str
) -> None:
    """Run `script` as superuser, in Postgres' single-user mode."""
    unsynced = ("-F",) if cluster.name.startswith("cluster.new-") else ()
    postgres = account.command(
        "postgres",
        "--single",
        "-j",
        *unsynced,
        *("-c", "log_min_error_statement=panic", "-c", "log_checkpoints=off"),
        *("-D", account.cluster_argument(cluster), database),
        death_signal=signal.SIGKILL,
    )
    status, output = await run_program(
        postgres, cluster, script.format(verifier=scram_verifier(password))
    )
    failed = status != 0 or any(word in output for word in ("ERROR:", "FATAL:", "PANIC:"))
    _refuse_unless(not failed, "be set up", output, cluster.parent)


def _refuse_unless(done: bool, what: str, output: str, folder: Path) -> None:
    if not done:
        last = "\n".join(output.strip().splitlines()[-8:])
        raise EmbeddedPostgresError(
            f"The embedded database could not {what} in {folder}. {advice_for(output, folder)}\n"
            f"{last}"
        )


def _sync(cluster: Path) -> None:
    """Sync the new cluster to disk: with one call on Linux, file by file elsewhere."""
    if sys.platform.startswith("linux"):
        descriptor = os.open(cluster, os.O_RDONLY)
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.syncfs(descriptor) != 0:
                raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(cluster))
        finally:
            os.close(descriptor)
        return
    for path in (*cluster.rglob("*"), cluster):
        _sync_folder(path)


def _sync_folder(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


_ITERATIONS = 4096


def check_password(password: str) -> None:
    """Raise EmbeddedPostgresError unless `password` is printable ASCII.

    Client libraries disagree about how to normalise other characters.
    """
    if not password or not password.isascii() or not password.isprintable():
        raise EmbeddedPostgresError(
            "The password of the embedded database must be one or more printable ASCII characters."
        )


def scram_verifier(password: str, salt: bytes | None = None) -> str:
    """Return the SCRAM-SHA-256 verifier of RFC 5803 for `password`."""
    salt = salt or os.urandom(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, _ITERATIONS)
    stored_key = hashlib.sha256(_keyed(salted, b"Client Key")).digest()
    server_key = _keyed(salted, b"Server Key")
    return (
        f"SCRAM-SHA-256${_ITERATIONS}:{_base64(salt)}${_base64(stored_key)}:{_base64(server_key)}"
    )


def _keyed(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, hashlib.sha256).digest()


def _base64(raw: bytes) -> str:
    return b64encode(raw).decode()
