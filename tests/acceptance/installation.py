"""`raglive up` as a user starts it, with its output, processes and ports."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import psutil

from raglive.http_api.tokens import Tokens
from raglive_contract.permissions import Grant, Role

COMMAND = [sys.executable, "-m", "raglive"]
START_SECONDS = 60.0
STOP_SECONDS = 40.0
PORTS = ("SOCKET_IO_PORT", "RAGLIVE_DASHBOARD_PORT", "RAGLIVE_LOCAL_FILES_PORT")


class Installation:
    """A data folder with its own ports, and the processes that run on it."""

    def __init__(self, folder: Path, data_dir: Path, **settings: str) -> None:
        self.folder = folder
        self.data_dir = data_dir
        self.ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        self.environment = {
            **{name: value for name, value in os.environ.items() if name != "DATABASE_URL"},
            **{name: str(port) for name, port in self.ports.items()},
            "RAGLIVE_DATA_DIR": str(data_dir),
            "NO_COLOR": "1",
            **settings,
        }
        self.output: list[str] = []
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None

    @property
    def dashboard_url(self) -> str:
        return f"http://127.0.0.1:{self.ports['RAGLIVE_DASHBOARD_PORT']}"

    @property
    def status_url(self) -> str:
        return f"http://127.0.0.1:{self.ports['SOCKET_IO_PORT']}"

    @property
    def token(self) -> str:
        """A token of an operator for an hour."""
        return self.token_of(Role.OPERATOR, 3600)

    def token_of(self, role: Role, seconds: int) -> str:
        """Make a token for all pipelines without starting a command."""
        secret = (self.data_dir / "jwt.secret").read_text("ascii")
        return Tokens(secret).issue(Grant(role, ("*",)), seconds, "tests")

    @property
    def headers(self) -> dict[str, str]:
        """The headers of a signed-in request."""
        return {"Authorization": f"Bearer {self.token}"}

    @property
    def printed_address(self) -> str:
        """The address that `raglive up` has printed."""
        [line] = [line for line in self.output if line.startswith("open http")]
        return line.split()[1]

    @property
    def process(self) -> asyncio.subprocess.Process:
        assert self._process is not None, "not started"
        return self._process

    async def start(self, until: str = "open http") -> None:
        """Start `raglive up` and wait for a text in its output: by default the address to open."""
        self.output.clear()
        self._process = await asyncio.create_subprocess_exec(
            *COMMAND,
            "up",
            str(self.folder),
            env=self.environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            start_new_session=True,
        )
        self._reading = asyncio.create_task(self._read())
        await self.until(lambda: any(until in line for line in self.output))

    async def stop(self, number: int = signal.SIGINT) -> int:
        """Send a signal; return the exit status once everything has ended."""
        with suppress(ProcessLookupError):
            self.process.send_signal(number)
        return await asyncio.wait_for(self.process.wait(), STOP_SECONDS)

    def children(self) -> list[psutil.Process]:
        """Return every process below `raglive up`."""
        with suppress(psutil.NoSuchProcess):
            return psutil.Process(self.process.pid).children(recursive=True)
        return []

    def child(self, *words: str) -> psutil.Process:
        """Return the child process whose command line has these words."""
        for child in self.children():
            with suppress(psutil.Error):
                if set(words) <= set(child.cmdline()):
                    return child
        raise LookupError(f"no process {words} among {self.children()}")

    async def until(
        self, holds: Callable[[], Any], *, within_seconds: float = START_SECONDS
    ) -> None:
        """Wait for a condition, polling while the processes run."""
        async with asyncio.timeout(within_seconds):
            while not holds():
                if self._process is not None and self._process.returncode is not None:
                    raise AssertionError(f"raglive up ended:\n{''.join(self.output)}")
                await asyncio.sleep(0.02)

    async def cli(self, *arguments: str) -> tuple[int, str, str]:
        """Run another command meanwhile; return its exit status, output and errors."""
        process = await asyncio.create_subprocess_exec(
            *COMMAND,
            *arguments,
            env=self.environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    async def json(self, *arguments: str) -> Any:
        """Run a command that prints JSON, and parse its output."""
        status, out, err = await self.cli(*arguments, "--json")
        assert status == 0, err
        return json.loads(out)

    async def events(self) -> list[dict[str, Any]]:
        """Wait until the pipelines are idle; return all events of the log."""
        status, out, err = await self.cli("tail", "--json", "--cursor", "-1", "--until-idle")
        assert status == 0, err
        return [json.loads(line) for line in out.splitlines()]

    async def status(self) -> dict[str, Any]:
        """Return `/api/rag-status`."""
        async with httpx.AsyncClient(timeout=10) as client:
            answer = await client.get(f"{self.dashboard_url}/api/rag-status", headers=self.headers)
            answer.raise_for_status()
            found: dict[str, Any] = answer.json()
            return found

    async def _read(self) -> None:
        assert self.process.stdout is not None
        async for line in self.process.stdout:
            self.output.append(line.decode())


@asynccontextmanager
async def running(installation: Installation, until: str = "open http") -> AsyncIterator[None]:
    """Start an installation; afterwards stop it and kill remaining processes."""
    try:
        await installation.start(until)
        yield
    finally:
        if installation.process.returncode is None:
            left = installation.children()
            with suppress(TimeoutError):
                await installation.stop()
            for process in left:
                with suppress(psutil.Error):
                    process.kill()
            with suppress(ProcessLookupError):
                installation.process.kill()


@asynccontextmanager
async def installed(folder: Path, data_dir: Path, **settings: str) -> AsyncIterator[Installation]:
    """Start raglive on a folder, with its own data folder and ports."""
    installation = Installation(folder, data_dir, **settings)
    async with running(installation):
        yield installation


def free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


async def accepts_connections(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
