"""How many durable events a second other pipelines can publish over HTTP.

Posts batches of 100 events to `POST /v1/events` of a status server with default settings, on an
embedded Postgres with default settings. Every answer means that the commit is on disk. Three cases:
one producer with one pipeline, which waits for each answer; eight producers that share one
pipeline; eight producers with a pipeline each. The bodies are prepared before. CPU seconds are
those of the server, of Postgres, and of both. "Events in two CPU seconds" is the rate that two idle
cores could reach if nothing waited for the disk.

Does not show: a network, TLS, the producers' own work, viewers (bench/fan_out.py), a log of many
millions.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

import psutil

from bench.common.publishers import Publisher, batches, publish_for
from bench.common.rate import cpu_seconds
from bench.common.report import Report, is_quick
from raglive.local_stack.embedded_postgres import EmbeddedPostgres
from raglive.store.migrate import migrate
from raglive_contract.permissions import Role
from tests.integration.status_server.serving import SECRET, free_port, ready, token

BATCH = 100
PRODUCERS = 8
MOST_A_SECOND = 400  # batches that are prepared at most


async def main() -> None:
    seconds = 3.0 if is_quick(__doc__) else 15.0
    report = Report("Publishing over HTTP", "a network, TLS, viewers, a log of many millions.")
    with tempfile.TemporaryDirectory(prefix="raglive-bench-") as place:
        async with EmbeddedPostgres(Path(place, "data"), password=secrets.token_hex(16)) as server:
            await migrate(server.dsn)
            status, port = await start(server.dsn, str(Path(place, "status")))
            try:
                await measure_all(report, port, psutil.Process(status.pid), seconds)
            finally:
                status.terminate()
                await status.wait()
    report.show()


async def start(dsn: str, data: str) -> tuple[asyncio.subprocess.Process, int]:
    port = free_port()
    environment = os.environ | {
        "DATABASE_URL": dsn,
        "RAGLIVE_DATA_DIR": data,
        "RAGLIVE_JWT_SECRET": SECRET,
        "SOCKET_IO_PORT": str(port),
    }
    silent = asyncio.subprocess.DEVNULL
    status = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "raglive", "server"], env=environment, stdout=silent, stderr=silent
    )
    await ready(f"http://127.0.0.1:{port}")
    return status, port


async def measure_all(report: Report, port: int, status: psutil.Process, seconds: float) -> None:
    plan = [(1, 1, True), (PRODUCERS, 1, True), (PRODUCERS, PRODUCERS, True)]
    for producers, pipelines, whole_files in [*plan, (PRODUCERS, PRODUCERS, False)]:
        names = [f"bench-{secrets.token_hex(4)}" for _ in range(pipelines)]
        each = round(MOST_A_SECOND * seconds / producers)
        made = [publisher(number, names, each, whole_files) for number in range(producers)]
        kind = "whole files" if whole_files else "ends of files alone"
        await publish_for(port, made, 0.5)
        what = f"{producers} producer(s), {pipelines} pipeline(s), {kind}"
        await measure(report, what, port=port, status=status, publishers=made, seconds=seconds)


def publisher(number: int, names: list[str], each: int, whole_files: bool) -> Publisher:
    """Return a producer; several producers of one pipeline report different files."""
    own = names[number % len(names)]
    bodies = list(islice(batches(own, BATCH, prefix=str(number), whole_files=whole_files), each))
    return Publisher(token(Role.PRODUCER, own, subject=f"bench-{number}"), iter(bodies))


async def measure(
    report: Report,
    what: str,
    *,
    port: int,
    status: psutil.Process,
    publishers: list[Publisher],
    seconds: float,
) -> None:
    before, began = (cpu_seconds(status), postgres_seconds()), time.perf_counter()
    events = BATCH * await publish_for(port, publishers, seconds)
    took = time.perf_counter() - began
    server, postgres = cpu_seconds(status) - before[0], postgres_seconds() - before[1]
    per_two = 2 * events / (server + postgres)
    each = f"{1e6 * server / events:.0f} + {1e6 * postgres / events:.0f} µs an event"
    report.figure(what, f"{events / took:,.0f}/s", ">= 20,000/s")
    report.figure("  CPU of the server + of Postgres", f"{each}; {per_two:,.0f} in 2 CPU s")


def postgres_seconds() -> float:
    """Return the CPU seconds that all processes of the embedded Postgres have used so far."""
    mine = psutil.Process().children(recursive=True)
    return sum(cpu_seconds(one) for one in mine if one.name() == "postgres")


if __name__ == "__main__":
    asyncio.run(main())
