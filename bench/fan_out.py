"""What fan-out costs: deliveries per CPU second of the status server, compared with Node.

Hundreds of viewers, all in one other process, follow one pipeline over WebSocket while events are
committed every 50 ms: first one event a tick, then ten. The result is the number of events that the
viewers received, divided by the CPU time of the server process alone. In the same run, the same
viewers connect to Socket.IO on Node with a room and an `emit` for each event, with the same events
in the same ticks. The status server reads its events from the database and checks who may see them;
Node receives them from the bench.

Does not show: browsers, latency, viewers that cannot keep up, memory, several servers.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from bench.common.rate import cpu_seconds
from bench.common.report import Report, is_quick
from raglive.http_api.tokens import Tokens
from raglive.local_stack.child_process import answers
from raglive.local_stack.embedded_postgres import EmbeddedPostgres
from raglive.store.log.event_log import append_events
from raglive.store.log.new_events import new_event_id
from raglive.store.migrate import migrate
from raglive.store.pool import Database
from raglive.store.registry.pipelines import PipelineRecord
from raglive_contract.model import now
from raglive_contract.permissions import Grant, Role
from raglive_contract.states import Stage
from raglive_contract.wire import NewEvent, NewFileProcessing

TICK_SECONDS = 0.05
START_SECONDS = 60.0
NODE_SERVER = Path(__file__).parent / "common" / "socketio_server.mjs"

Publish = Callable[[Sequence[NewEvent]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Server:
    """A server under test, and how events get into it."""

    name: str
    pid: int
    port: int
    path: str
    token: str
    publish: Publish


async def main() -> None:
    viewers, seconds = (500, 3.0) if is_quick(__doc__) else (1000, 10.0)
    goals = {1: ">= 1.5", 10: ">= 3 (Node corked)"}
    report = Report(
        f"Fan-out to {viewers} viewers", "latency, slow viewers, memory, several servers."
    )
    found: dict[tuple[str, int], float] = {}
    async with status_server() as raglive, node_server() as node:
        for server in (raglive, node):
            async with watching(server, viewers) as count:
                for events in goals:
                    per_cpu = await measure(server, count, events, seconds)
                    found[server.name, events] = per_cpu
                    what = f"{server.name}: deliveries per CPU second, {events} event(s) a tick"
                    report.figure(what, f"{per_cpu:,.0f}")
    for events, goal in goals.items():
        ratio = found["raglive", events] / found["Node", events]
        report.figure(f"ratio, {events} event(s) a tick", f"{ratio:.2f}", goal)
    report.show()


async def measure(
    server: Server, count: Callable[[], Awaitable[int]], events: int, seconds: float
) -> float:
    """Publish for a while; return the deliveries per CPU second of the server."""
    process = psutil.Process(server.pid)
    before, cpu = await count(), cpu_seconds(process)
    until = time.perf_counter() + seconds
    while time.perf_counter() < until:
        tick = time.perf_counter()
        await server.publish([_event() for _ in range(events)])
        await asyncio.sleep(max(0.0, tick + TICK_SECONDS - time.perf_counter()))
    await asyncio.sleep(0.5)  # events in flight
    spent = cpu_seconds(process) - cpu
    return (await count() - before) / spent


@asynccontextmanager
async def watching(server: Server, viewers: int) -> AsyncIterator[Callable[[], Awaitable[int]]]:
    """Connect viewers in their own process; yield a function that returns their event count."""
    command = ["-m", "bench.common.viewers", str(server.port), server.path, str(viewers)]
    async with _running(sys.executable, *command, server.token) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), START_SECONDS)
        if line != b"ready\n":
            raise RuntimeError(f"the viewers of {server.name} did not connect")
        stdin, stdout = process.stdin, process.stdout

        async def count() -> int:
            stdin.write(b"count\n")
            counted = json.loads(await asyncio.wait_for(stdout.readline(), START_SECONDS))
            if counted["lost"]:
                raise RuntimeError(f"{server.name} lost {counted['lost']} viewers")
            return int(counted["events"])

        yield count


@asynccontextmanager
async def status_server() -> AsyncIterator[Server]:
    """Run `raglive server` on a new database."""
    secret, port = secrets.token_urlsafe(48), _free_port()
    with tempfile.TemporaryDirectory(prefix="raglive-bench-") as place:
        async with EmbeddedPostgres(Path(place), password=secrets.token_hex(16)) as postgres:
            await migrate(postgres.dsn)
            database = await Database.connect(postgres.dsn, name="bench", max_size=2)
            record = await PipelineRecord.register(database, "bench", "local_files")
            settings = {
                "DATABASE_URL": postgres.dsn,
                "SOCKET_IO_PORT": str(port),
                "RAGLIVE_JWT_SECRET": secret,
                "RAGLIVE_DATA_DIR": place,
                "RAGLIVE_LOG_LEVEL": "warning",
            }

            async def publish(events: Sequence[NewEvent]) -> None:
                async with database.transaction() as connection:
                    await append_events(connection, record.key, events)

            command = (sys.executable, "-m", "raglive", "server")
            try:
                async with _running(*command, **settings) as process:
                    async with asyncio.timeout(START_SECONDS):
                        while not await answers(f"http://127.0.0.1:{port}/health/ready", 2):
                            await asyncio.sleep(0.1)
                    token = Tokens(secret, None).issue(
                        Grant(Role.VIEWER, ("*",)), 3600, subject="bench"
                    )
                    yield Server("raglive", process.pid, port, "/socket.io", token, publish)
            finally:
                await database.close()


@asynccontextmanager
async def node_server() -> AsyncIterator[Server]:
    """Run Socket.IO on Node."""
    node = shutil.which("node")
    if node is None:
        raise RuntimeError("Node is missing: run this with tools/with_node.sh, or `make bench`.")
    async with _running(node, str(NODE_SERVER)) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        stdin = process.stdin
        port = int(await asyncio.wait_for(process.stdout.readline(), START_SECONDS))

        async def publish(events: Sequence[NewEvent]) -> None:
            stdin.write(json.dumps(events).encode() + b"\n")
            await stdin.drain()

        yield Server("Node", process.pid, port, "/socket.io", "none", publish)


@asynccontextmanager
async def _running(*command: str, **settings: str) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        *command,
        env={**os.environ, **settings},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
        await asyncio.wait_for(process.wait(), START_SECONDS)


def _event() -> NewFileProcessing:
    moment = now()
    return NewFileProcessing(
        id=new_event_id(),
        timestamp=moment,
        type="file:processing",
        file={"id": f"file {secrets.randbelow(200)}", "name": "report.pdf", "started_at": moment},
        processing_stage=Stage.EXTRACTION,
        attempt=1,
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


if __name__ == "__main__":
    asyncio.run(main())
