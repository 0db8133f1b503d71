"""Redis for tests, as an ordinary process."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from redis.asyncio import Redis
from redis.exceptions import RedisError

__all__ = ["RedisServer", "running_redis", "running_sentinel"]

START_SECONDS = 10.0


class RedisServer:
    """A server on a port of its own, which can be killed, suspended and started again."""

    def __init__(
        self,
        folder: Path,
        *options: str,
        password: str | None = None,
        tls: bool = False,
        cluster: bool = False,
    ) -> None:
        self._folder = folder
        self._password = password
        self._process: asyncio.subprocess.Process | None = None
        self.port, self._second_port = _free_port(), _free_port()
        if password is not None:
            options = (*options, "--requirepass", password)
        if tls:
            options = (*options, "--tls-port", str(self._second_port))
        if cluster:
            ports = ("--cluster-port", str(self._second_port))
            options = (*options, "--cluster-enabled", "yes", *ports)
        self._options = options

    @property
    def place(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The address of the server."""
        return f"redis://{self.place}"

    @property
    def tls_place(self) -> str:
        """Host and port for TLS."""
        return f"127.0.0.1:{self._second_port}"

    async def meet(self, node: RedisServer) -> None:
        """Form a cluster with another node."""
        ports = (str(node.port), str(node._second_port))
        await self.command("CLUSTER", "MEET", "127.0.0.1", *ports)

    def client(self) -> Redis:
        """Make a client of the server."""
        return Redis(port=self.port, password=self._password)

    async def start(self) -> None:
        """Start it, and wait until it answers."""
        program = shutil.which("redis-server")
        if program is None:
            pytest.skip("Redis is not installed: apt install redis-server")
        self._process = await asyncio.create_subprocess_exec(
            program,
            *self._options,
            *("--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self._folder)),
            stdout=asyncio.subprocess.DEVNULL,
        )
        async with asyncio.timeout(START_SECONDS), self.client() as client:
            while not await _answers(client):
                await asyncio.sleep(0.02)

    async def command(self, *words: str) -> object:
        """Run a command."""
        async with self.client() as client:
            answer: object = await client.execute_command(*words)  # type: ignore[no-untyped-call]
            return answer

    def suspend(self) -> None:
        """Stop the process without closing its connections."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Let a suspended process continue."""
        self._signal(signal.SIGCONT)

    async def kill(self) -> None:
        """Kill the process."""
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            await process.wait()

    def _signal(self, number: int) -> None:
        assert self._process is not None
        os.kill(self._process.pid, number)


@asynccontextmanager
async def running_sentinel(master: RedisServer, service: str) -> AsyncIterator[RedisServer]:
    """Run a Sentinel that replaces a server after half a second without an answer."""
    with tempfile.TemporaryDirectory(prefix="raglive-sentinel-") as folder:
        file = Path(folder) / "sentinel.conf"
        file.write_text(
            f"sentinel monitor {service} 127.0.0.1 {master.port} 1\n"
            f"sentinel down-after-milliseconds {service} 500\n"
            f"sentinel failover-timeout {service} 3000\n"
        )
        sentinel = RedisServer(Path(folder), str(file), "--sentinel")
        await sentinel.start()
        try:
            yield sentinel
        finally:
            await sentinel.kill()


@asynccontextmanager
async def running_redis(
    *options: str, password: str | None = None, tls: bool = False, cluster: bool = False
) -> AsyncIterator[RedisServer]:
    """Run a server; skip where it is not installed."""
    with tempfile.TemporaryDirectory(prefix="raglive-redis-") as folder:
        server = RedisServer(
            Path(folder), "--save", "", *options, password=password, tls=tls, cluster=cluster
        )
        await server.start()
        try:
            yield server
        finally:
            await server.kill()


async def _answers(client: Redis) -> bool:
    try:
        return bool(await client.ping())
    except (OSError, RedisError):
        return False


def _free_port() -> int:
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
