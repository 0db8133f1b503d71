"""Child processes of the embedded database: the server, and programs that run to their end."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

import psutil
import structlog

from raglive.local_stack.embedded_postgres.errors import EmbeddedPostgresError

__all__ = ["ServerProcess", "end_leftovers", "run_program"]

_KEPT_VARIABLES = ("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT")
_READY_POLL_SECONDS = 0.005
_IMMEDIATE_STOP_SECONDS = 5


class ServerProcess:
    """One running postmaster, a child of this process in a session of its own."""

    def __init__(self, process: asyncio.subprocess.Process, cluster: Path) -> None:
        self._process = process
        self._cluster = cluster

    @classmethod
    async def spawn(cls, command: Sequence[str], cluster: Path, log: BinaryIO) -> ServerProcess:
        """Start the server inside `cluster`, its output going to `log`."""
        process = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=cluster,
            env=_environment(),
            start_new_session=True,  # Ctrl-C in the terminal is for us, not for the server
        )
        return cls(process, cluster)

    @property
    def pid(self) -> int:
        """The postmaster's process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it has not ended yet."""
        return self._process.returncode is None

    async def wait(self) -> int:
        """Wait for the end; return the exit status, negative for a signal."""
        return await self._process.wait()

    async def wait_ready(self) -> bool:
        """Wait until it accepts connections; return False if it ended instead."""
        while self.alive:
            if _says_ready(self._cluster, self.pid):
                return True
            await asyncio.sleep(_READY_POLL_SECONDS)
        return False

    async def stop(self, seconds: float) -> None:
        """End it within `seconds` with its data written, else at once (it recovers later)."""
        steps = (
            (signal.SIGINT, seconds),
            (signal.SIGQUIT, _IMMEDIATE_STOP_SECONDS),
            (signal.SIGKILL, _IMMEDIATE_STOP_SECONDS),
        )
        for step, patience in steps:
            if not self.alive:
                return
            with suppress(ProcessLookupError):
                self._process.send_signal(step)
            with suppress(TimeoutError):
                async with asyncio.timeout(patience):
                    await self._process.wait()

    def kill(self) -> None:
        """End it without waiting."""
        if self.alive:
            with suppress(ProcessLookupError):
                self._process.send_signal(signal.SIGQUIT)


async def run_program(command: Sequence[str], folder: Path, text: str = "") -> tuple[int, str]:
    """Run `command` inside `folder` with `text` as its input; return exit status and output.

    Cancelling it ends the program and its children.
    """
    process = await asyncio.create_subprocess_exec(
        *command,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        cwd=folder,
        env=_environment(),
        start_new_session=True,
    )
    try:
        output, _ = await process.communicate(text.encode())
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    return process.returncode or 0, output.decode(errors="replace")


def _environment() -> dict[str, str]:
    """Pass on nothing that Postgres does not need: not PG* variables, not other people's keys."""
    kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    return {**kept, "LC_ALL": "C", "TZ": "UTC"}


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
    """End every Postgres process on `cluster`, and drop a pid file that names none of them.

    To be called under the folder's lock and with no server of one's own. Does next to nothing after
    a clean stop. Raises EmbeddedPostgresError if a process cannot be ended.
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
        _drop_misleading(pid_file)


async def _end(
    pids: Iterable[int], cluster: Path, step: signal.Signals, patience: float
) -> list[int]:
    """Send the signal to those that run, wait, and return those that still run."""
    running = [pid for pid in pids if _runs_in(pid, cluster)]
    for pid in running:
        with suppress(ProcessLookupError):
            os.kill(pid, step)
    deadline = time.monotonic() + patience
    while running and time.monotonic() < deadline:
        await asyncio.sleep(_POLL_SECONDS)
        running = [pid for pid in running if _runs_in(pid, cluster)]
    return running


def _processes_in(cluster: Path) -> list[int]:
    return [pid for pid in psutil.pids() if _runs_in(pid, cluster)]


def _runs_in(pid: int, cluster: Path) -> bool:
    """Tell whether `pid` is a Postgres on `cluster`; one that only waits to be reaped is not."""
    with suppress(psutil.Error, OSError):
        process = psutil.Process(pid)
        return (
            process.name() == "postgres"
            and process.status() != psutil.STATUS_ZOMBIE
            and Path(process.cwd()).samefile(cluster)
        )
    return False


def _drop_misleading(pid_file: Path) -> None:
    """Remove a pid file whose number now is another program's: Postgres would refuse to start."""
    pid = _pid_in(pid_file)
    if pid is None or psutil.pid_exists(pid):
        pid_file.unlink(missing_ok=True)


def _pid_in(pid_file: Path) -> int | None:
    try:
        first = pid_file.read_text(errors="replace").split("\n", 1)[0].strip()
    except FileNotFoundError:
        return None
    return int(first) if first.isdecimal() else None
