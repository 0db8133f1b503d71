"""The account that Postgres runs under: it refuses to run as root, and without a user name.

As root, a user namespace in which root has another name is tried first: the files still belong to
root. Where the kernel forbids it, as in most containers, Postgres runs as `nobody` and owns only
its cluster. It is started inside the cluster, so that it needs no access to the folders above.

A user id that the system has no name for, as with `docker run --user 1000`, needs the namespace.
"""

from __future__ import annotations

import asyncio
import os
import pwd
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from raglive.local_stack.embedded_postgres.binaries import Binaries, readable_by_everyone
from raglive.local_stack.embedded_postgres.errors import EmbeddedPostgresError

__all__ = ["Account", "choose_account", "hand_over"]

_LAUNCHER = Path(__file__).with_name("launch.py")
_PROBE_SECONDS = 10


@dataclass(frozen=True)
class Account:
    """How to start a program of Postgres, and of which installation.

    `mode`: as this process's own account, in a user namespace, or as another account.
    """

    mode: Literal["same", "namespace", "account"]
    uid: int
    gid: int
    binaries: Binaries

    @property
    def owner(self) -> int:
        """The uid that owns the cluster, as this process sees it."""
        return self.uid if self.mode == "account" else os.geteuid()

    def command(self, program: str, *arguments: str, death_signal: signal.Signals) -> list[str]:
        """Return the command line that runs `program`; `death_signal` ends it with this thread."""
        path = str(self.binaries.program(program))
        return [*_launcher(self.mode, self.uid, self.gid, death_signal), path, *arguments]

    def cluster_argument(self, cluster: Path) -> str:
        """Return the path of `cluster` for the command line of a program started inside it."""
        return "/proc/self/cwd" if self.mode == "account" else str(cluster)


async def choose_account(binaries: Binaries, cluster: Path) -> Account:
    """Return the account to use for `cluster`, which may not exist yet.

    Raises EmbeddedPostgresError if `cluster` belongs to another user, or no account is suitable.
    """
    owner = _owner_of(cluster)
    if os.geteuid() != 0:
        _refuse_unless(owner == os.geteuid(), cluster, owner)
        return await _own_account(binaries)
    nobody = _nobody()
    _refuse_unless(owner in {0, nobody.pw_uid}, cluster, owner)
    if owner == 0 and await _namespaces_work(nobody):
        return Account("namespace", nobody.pw_uid, nobody.pw_gid, binaries)
    readable = await asyncio.to_thread(readable_by_everyone, binaries)
    return Account("account", nobody.pw_uid, nobody.pw_gid, readable)


async def _own_account(binaries: Binaries) -> Account:
    uid = os.geteuid()
    if _name_of(uid) != str(uid):
        return Account("same", uid, os.getegid(), binaries)
    nobody = _nobody()
    if not await _namespaces_work(nobody):
        raise EmbeddedPostgresError(
            f"Postgres refuses to run as user id {uid}, which has no name on this system. Add the "
            "user to /etc/passwd, run raglive as another user, or set DATABASE_URL."
        )
    return Account("namespace", nobody.pw_uid, nobody.pw_gid, binaries)


def hand_over(folder: Path, account: Account) -> None:
    """Change the owner of `folder` and everything below it to the account, if it is another one."""
    if account.mode != "account" or folder.stat().st_uid == account.uid:
        return
    # The folder last, so that an interruption shows at the next start.
    for path in (*folder.rglob("*"), folder):
        os.chown(path, account.uid, account.gid, follow_symlinks=False)


def _owner_of(cluster: Path) -> int:
    try:
        return cluster.stat().st_uid
    except FileNotFoundError:
        return os.geteuid()


def _refuse_unless(suitable: bool, cluster: Path, owner: int) -> None:
    if not suitable:
        raise EmbeddedPostgresError(
            f"The database in {cluster} belongs to user {_name_of(owner)}, and raglive runs as "
            f"{_name_of(os.geteuid())}. Run raglive as {_name_of(owner)}, or use another data "
            "folder."
        )


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _nobody() -> pwd.struct_passwd:
    if sys.platform.startswith("linux"):
        try:
            return pwd.getpwnam("nobody")
        except KeyError:
            pass
    raise EmbeddedPostgresError(
        f"Postgres refuses to run as user id {os.geteuid()}, and this system has no account "
        "`nobody` to run it under. Run raglive as an ordinary user, or set DATABASE_URL."
    )


async def _namespaces_work(inside: pwd.struct_passwd) -> bool:
    command = _launcher("namespace", inside.pw_uid, inside.pw_gid, signal.SIGKILL)
    quiet = asyncio.subprocess.DEVNULL
    probe = await asyncio.create_subprocess_exec(*command, stdin=quiet, stdout=quiet, stderr=quiet)
    try:
        async with asyncio.timeout(_PROBE_SECONDS):
            return await probe.wait() == 0
    except TimeoutError:
        return False
    finally:
        if probe.returncode is None:
            probe.kill()


def _launcher(mode: str, uid: int, gid: int, death_signal: signal.Signals) -> list[str]:
    numbers = (str(uid), str(gid), str(os.getpid()), str(int(death_signal)))
    return [sys.executable, "-I", "-S", str(_LAUNCHER), mode, *numbers]
