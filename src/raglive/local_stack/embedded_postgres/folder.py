"""The folder of the embedded database: its layout, the folder of its socket, and its lock."""

from __future__ import annotations

import asyncio
import errno
import fcntl
import os
import shutil
import stat
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from raglive.local_stack.embedded_postgres.account import Account
from raglive.local_stack.embedded_postgres.errors import (
    AlreadyRunningError,
    EmbeddedPostgresError,
    explain_os_errors,
)

__all__ = ["DatabaseFolder", "FolderLock", "SocketFolder"]

_LONGEST_SOCKET_PATH = 103  # macOS; Linux allows 107


@dataclass(frozen=True)
class DatabaseFolder:
    """The folder `<data folder>/postgres`, private to its owner."""

    path: Path

    @property
    def cluster(self) -> Path:
        """The cluster; it exists only once it is complete."""
        return self.path / "cluster"

    def prepare(self) -> None:
        """Create the folder; raise EmbeddedPostgresError if it cannot be private or written."""
        with explain_os_errors(self.path):
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path.chmod(0o700)
            found = self.path.stat()
        if found.st_mode & 0o077:
            raise EmbeddedPostgresError(
                f"The permissions of {self.path} cannot be set to private (they stay "
                f"{stat.filemode(found.st_mode)}), as on a Windows or network drive. Postgres "
                "needs them: use a data folder on a local Linux or macOS disk."
            )

    def new_cluster(self) -> Path:
        """Remove what interrupted initialisations left; return an empty folder for a new one."""
        with explain_os_errors(self.path):
            for unfinished in self.path.glob("cluster.new-*"):
                shutil.rmtree(unfinished, ignore_errors=True)
            return Path(tempfile.mkdtemp(prefix="cluster.new-", dir=self.path))

    def remembered_port(self) -> int | None:
        """Return the port of the last run; None if there is none."""
        try:
            text = (self.path / "port").read_text().strip()
        except (OSError, UnicodeDecodeError):
            return None
        return int(text) if text.isdecimal() and 0 < int(text) < 65536 else None

    def remember_port(self, port: int) -> None:
        """Save `port` for the next run."""
        if port != self.remembered_port():
            with explain_os_errors(self.path):
                (self.path / "port").write_text(f"{port}\n")


class SocketFolder:
    """A private folder for the Unix socket, with a path that is short enough for one."""

    def __init__(self, folder: Path, account: Account) -> None:
        self.path = folder / "socket"
        self._temporary = account.mode == "account" or not _is_short(self.path)
        if self._temporary:
            self.path = _temporary_folder(folder, account)
        with explain_os_errors(self.path):
            self.path.mkdir(mode=0o700, exist_ok=True)

    def close(self) -> None:
        """Empty the folder, and remove it if it is outside the data folder."""
        with suppress(OSError, EmbeddedPostgresError):
            self.clear()
            if self._temporary:
                self.path.rmdir()

    def clear(self) -> None:
        """Remove the files of a killed server: its lock file may name another process by now."""
        with explain_os_errors(self.path):
            for left in self.path.iterdir():
                left.unlink()


def _is_short(path: Path) -> bool:
    return len(os.fsencode(path / ".s.PGSQL.65535.lock")) <= _LONGEST_SOCKET_PATH


def _temporary_folder(folder: Path, account: Account) -> Path:
    name = f"raglive-{sha256(os.fsencode(folder)).hexdigest()[:12]}"
    parent = Path(tempfile.gettempdir())
    if account.mode == "account" or not _is_short(parent / name):
        parent = Path("/tmp")  # noqa: S108 - ownership is checked below
    with explain_os_errors(parent):
        path = parent / name
        if not _is_private(path, account.owner):
            with suppress(FileExistsError):
                path.mkdir(mode=0o700)
                os.chown(path, account.owner, -1)
        if not _is_private(path, account.owner):
            path = Path(tempfile.mkdtemp(prefix="raglive-", dir=parent))
            os.chown(path, account.owner, -1)
    return path


def _is_private(path: Path, owner: int) -> bool:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == owner and not found.st_mode & 0o077


_ACQUIRE_SECONDS = 0.5  # a holder that was just killed may not have ended yet
_POLL_SECONDS = 0.01


class FolderLock:
    """The lock on `<folder>/lock`; child processes do not inherit it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / "lock"
        self._descriptor: int | None = None

    async def acquire(self) -> None:
        """Acquire the lock; raise AlreadyRunningError, with the holder's pid, if it is held."""
        with explain_os_errors(self._folder):
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            deadline = time.monotonic() + _ACQUIRE_SECONDS
            while not self._lock(descriptor):
                if time.monotonic() > deadline:
                    raise AlreadyRunningError(self._folder, _pid_in(descriptor))
                await asyncio.sleep(_POLL_SECONDS)
            with explain_os_errors(self._folder):
                os.ftruncate(descriptor, 0)
                os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor

    def release(self) -> None:
        """Release the lock; idempotent."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def _lock(self, descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in {errno.EWOULDBLOCK, errno.EACCES}:
                return False
            raise EmbeddedPostgresError(
                f"The disk that holds {self._folder} cannot lock files ({error.strerror}), so two "
                "servers could damage the data. Use a data folder on a local disk."
            ) from error
        return True


def _pid_in(descriptor: int) -> int | None:
    text = os.pread(descriptor, 32, 0).decode(errors="replace").strip()
    return int(text) if text.isdecimal() else None
