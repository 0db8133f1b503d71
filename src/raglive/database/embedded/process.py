"""Child processes of the embedded database: the server, and programs that run to their end."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

__all__ = ["ServerProcess", "run_program"]

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
