"""Graceful shutdown of `raglive server`."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from raglive.store.pool import Database
from tests.integration.status_server.serving import (
    SECRET,
    free_port,
    online,
    publish,
    ready,
)
from tests.integration.status_server.watching import Viewer, watching

SECONDS = 20
MANY = 60


@asynccontextmanager
async def server_process(
    database: Database, port: int, data: Path
) -> AsyncIterator[asyncio.subprocess.Process]:
    environment = os.environ | {
        "DATABASE_URL": database.dsn,
        "RAGLIVE_DATA_DIR": str(data),
        "RAGLIVE_JWT_SECRET": SECRET,
        "SOCKET_IO_PORT": str(port),
    }
    silent = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "raglive", "server"],
        env=environment,
        stdin=silent,
        stdout=silent,
        stderr=silent,
    )
    try:
        await ready(f"http://127.0.0.1:{port}")
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_viewers_are_told_when_to_reconnect_and_closed_in_that_order(
    database: Database, tmp_path: Path
) -> None:
    await publish(database, [online()])
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    gone: list[Viewer] = []

    async def note_end(viewer: Viewer) -> None:
        await viewer.closed.wait()
        gone.append(viewer)

    async with server_process(database, port, tmp_path) as process, AsyncExitStack() as stack:
        viewers = [await stack.enter_async_context(watching(url)) for _ in range(MANY)]
        for viewer in viewers:
            await viewer.subscribe()
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(SECONDS):
            await asyncio.gather(*(note_end(viewer) for viewer in viewers))
            assert await process.wait() == 0
        received = [viewer.of("server:draining") for viewer in gone]
        assert all(len(notices) == 1 for notices in received)
        returns = [notice["retry_in"] for [notice] in received]
        assert max(returns) <= 100 + 5 * MANY
        third = MANY // 3
        assert sum(returns[:third]) < sum(returns[-third:]), (
            "closed in the order of their reconnects"
        )


async def test_a_client_that_does_not_read_does_not_delay_the_shutdown(
    database: Database, tmp_path: Path
) -> None:
    await publish(database, [online()])
    port = free_port()
    async with server_process(database, port, tmp_path) as process:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writer.write(
            b"GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            b"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        await reader.readuntil(b"\r\n\r\n")
        writer.transport.pause_reading()  # type: ignore[attr-defined]  # it is a stream's
        async with watching(f"http://127.0.0.1:{port}") as viewer, asyncio.timeout(SECONDS):
            process.send_signal(signal.SIGTERM)
            await viewer.until(viewer.closed.is_set)
            assert viewer.of("server:draining")
            assert await process.wait() == 0
        writer.close()
