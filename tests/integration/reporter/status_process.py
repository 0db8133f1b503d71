"""A status server as a process that tests can kill and restart."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from raglive.http_api.tokens import Tokens
from raglive_contract.permissions import Grant, Role

__all__ = ["PIPELINE", "StatusProcess", "producer_token", "status_process"]

PIPELINE = "crawler-1"
SECRET = "for-tests-only-" * 3
START_SECONDS = 60


class StatusProcess:
    """`raglive server` on a free port, which stays the same after a restart."""

    def __init__(self, dsn: str, log: Path) -> None:
        self._log = log
        self._port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.url = f"http://127.0.0.1:{self._port}"
        self._environment = os.environ | {
            "DATABASE_URL": dsn,
            "RAGLIVE_JWT_SECRET": SECRET,
            "SOCKET_IO_PORT": str(self._port),
        }

    async def start(self) -> None:
        process = self._process = self._launch()
        async with asyncio.timeout(START_SECONDS):
            while not await asyncio.to_thread(self._answers):
                assert process.poll() is None, self._log.read_text()
                await asyncio.sleep(0.02)

    def _launch(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "raglive", "server"],
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    async def kill(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            await asyncio.to_thread(self._process.wait, 20)
            self._process = None

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health/live", timeout=2) as answer:
                return bool(answer.status == 200)
        except (OSError, urllib.error.URLError):
            return False


@asynccontextmanager
async def status_process(dsn: str, folder: Path) -> AsyncIterator[StatusProcess]:
    server = StatusProcess(dsn, folder / "status_server.log")
    try:
        await server.start()
        yield server
    finally:
        await server.kill()


def producer_token(*pipelines: str, ttl: float = 600) -> str:
    grant = Grant(Role.PRODUCER, pipelines or ("*",))
    return Tokens(SECRET).issue(grant, ttl, "tester")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
