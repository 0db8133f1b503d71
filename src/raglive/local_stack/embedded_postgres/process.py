"""Processes of the embedded database: the server, programs that finish, and leftovers."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import psutil
import structlog

from raglive.local_stack.embedded_postgres.errors import EmbeddedPostgresError

__all__ = ["ServerProcess", "end_leftovers", "run_program"]

_PASSED_VARIABLES = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT")
_READY_POLL_SECONDS = 0.005
_IMMEDIATE_STOP_SECONDS = 5


class ServerProcess:
    """A running postmaster: a child of this process, in its own session."""

    def __init__(self, process: asyncio.subprocess.Process, cluster: Path) -> None:
        self._process = process
        self._cluster = cluster

    @classmethod
    async def spawn(cls, command: Sequence[str], cluster: Path, log: BinaryIO) -> ServerProcess:
        """Start the server in `cluster`, with its output appended to `log`."""
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=cluster,
            env=_environment(),
            start_new_session=True,  # so that Ctrl-C in the terminal does not reach the server
        )
        return cls(process, cluster)

    @property
    def pid(self) -> int:
        """The postmaster's process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.returncode is None

    async def wait(self) -> int:
        """Wait until the process ends; return its exit status, negative for a signal."""
        return await self._process.wait()

    async def wait_ready(self) -> bool:
        """Wait until the server accepts connections; return False if it ended instead."""
        while self.alive:
            if _says_ready(self._cluster, self.pid):
                return True
            await asyncio.sleep(_READY_POLL_SECONDS)
        return False

    async def stop(self, seconds: float) -> None:
        """Stop the server with a checkpoint; after `seconds`, stop it at once.

        In that case the next start recovers the data from the write-ahead log.
        """
        steps = (
            (signal.SIGINT, seconds),
            (signal.SIGQUIT, _IMMEDIATE_STOP_SECONDS),
            (signal.SIGKILL, _IMMEDIATE_STOP_SECONDS),
        )
        for step, limit in steps:
            if not self.alive:
                return
            with suppress(ProcessLookupError):
                self._process.send_signal(step)
            with suppress(TimeoutError):
                async with asyncio.timeout(limit):
                    await self._process.wait()

    def kill(self) -> None:
        """Stop the server at once, without waiting for its end."""
        if self.alive:
            with suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGQUIT)


async def run_program(command: Sequence[str], folder: Path, text: str = "") -> tuple[int, str]:
    """Run `command` in `folder` with `text` as its input; return its exit status and output.

    Cancellation kills the program and its children.
    """
    with tempfile.TemporaryFile(dir=folder) as stdin:  # a program may end before it reads a pipe
        stdin.write(text.encode())
        stdin.seek(0)
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=stdin,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            cwd=folder,
            env=_environment(),
            start_new_session=True,
        )
    try:
        output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    return process.returncode or 0, output.decode(errors="replace")


def _environment() -> dict[str, str]:
    """Return only what Postgres needs: no PG* variables, and no secrets of other programs."""
    passed = {name: os.environ[name] for name in _PASSED_VARIABLES if name in os.environ}
    return {**passed, "LC_ALL": "C", "TZ": "UTC"}


def _says_ready(cluster: Path, pid: int) -> bool:
    try:
        lines = (cluster / "postmaster.pid").read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return False
    return len(lines) >= 8 and lines[0] == str(pid) and lines[7].strip() == "ready"


_FAST_STOP_SECONDS = 20
_POLL_SECONDS = 0.01
_log = structlog.get_logger()


async def end_leftovers(cluster: Path) -> None:
    """End every Postgres process on `cluster`, and remove a stale pid file.

    The caller holds the folder's lock and runs no server itself. After a clean stop this costs one
    look at the pid file. Raises EmbeddedPostgresError if a process cannot be ended.
    """
    pid_file = cluster / "postmaster.pid"
    pid = _pid_in(pid_file)
    if pid is not None and _runs_in(pid, cluster):
        _log.warning("embedded_postgres.orphan_found", pid=pid)
        await _end([pid], cluster, signal.SIGINT, _FAST_STOP_SECONDS)
        await _end([pid], cluster, signal.SIGQUIT, _IMMEDIATE_STOP_SECONDS)
    if pid_file.exists():
        left = await asyncio.to_thread(_processes_in, cluster)
        left = await _end(left, cluster, signal.SIGKILL, _IMMEDIATE_STOP_SECONDS)
        if left:
            raise EmbeddedPostgresError(
                f"Postgres process {left[0]} still uses {cluster} and cannot be ended. End it, "
                "then start again."
            )
        _remove_stale(pid_file)


async def _end(
    pids: Iterable[int], cluster: Path, step: signal.Signals, seconds: float
) -> list[int]:
    """Send a signal to processes, wait up to `seconds`, and return those that still run."""
    running = [pid for pid in pids if _runs_in(pid, cluster)]
    for pid in running:
        with suppress(ProcessLookupError):
            os.kill(pid, step)
    deadline = time.monotonic() + seconds
    while running and time.monotonic() < deadline:
        await asyncio.sleep(_POLL_SECONDS)
        running = [pid for pid in running if _runs_in(pid, cluster)]
    return running


def _processes_in(cluster: Path) -> list[int]:
    return [pid for pid in psutil.pids() if _runs_in(pid, cluster)]


def _runs_in(pid: int, cluster: Path) -> bool:
    """Return whether `pid` is a Postgres process on `cluster`, and no zombie."""
    with suppress(psutil.Error, OSError):
        process = psutil.Process(pid)
        return (
            process.name() == "postgres"
            and process.status() != psutil.STATUS_ZOMBIE
            and Path(process.cwd()).samefile(cluster)
        )
    return False


def _remove_stale(pid_file: Path) -> None:
    """Remove a pid file whose number another program has by now: it would prevent a start."""
    pid = _pid_in(pid_file)
    if pid is None or psutil.pid_exists(pid):
        pid_file.unlink(missing_ok=True)


def _pid_in(pid_file: Path) -> int | None:
    try:
        first = pid_file.read_text(errors="replace").split("\n", 1)[0].strip()
    except FileNotFoundError:
        return None
    return int(first) if first.isdecimal() else None
