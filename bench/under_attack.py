"""What viewers notice of clients without a token that load the status server.

A status server runs on an embedded Postgres, and 200 viewers receive ten events a second. After a
round without attackers, another process opens 2,000 connections that send nothing or an unfinished
request, opens those again that are closed, and sends 50 MB/s of requests that are refused. Latency
is measured from before the commit until a viewer has the event. Afterwards the memory, open files
and log of the server are compared with those before.

Does not show: attackers with many addresses, networks, the dashboard's port. Attackers, viewers and
server share the cores of the machine.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from asyncio.subprocess import PIPE

import httpx
import psutil

from bench.common.report import Report, is_quick, percentile
from bench.fan_out import Server, status_server
from bench.stalled import Reader, connect
from raglive.store.log.new_events import status_update

VIEWERS = 200
HELD = 2000
BYTES_PER_SECOND = 50e6
PER_SECOND = 10
SETTLE_SECONDS = 15.0


async def main() -> None:
    seconds = 15.0 if is_quick(__doc__) else 60.0
    report = Report(f"{VIEWERS} viewers under attack", "many addresses, networks.")
    async with status_server() as server:
        process = psutil.Process(server.pid)
        sent_at: list[float] = []
        readers = [Reader(server.token, server.path, sent_at) for _ in range(VIEWERS)]
        transports = [await connect(server, reader) for reader in readers]
        quiet = await latencies(server, readers, sent_at, seconds / 3)
        memory, files = process.memory_info().rss, process.num_fds()
        attacked, attack, most_files = await attack_during(server, readers, sent_at, seconds)
        await asyncio.sleep(SETTLE_SECONDS)
        grown, left = process.memory_info().rss - memory, process.num_fds() - files
        lost = sum(transport.is_closing() for transport in transports)
        for transport in transports:
            transport.abort()
    for name, values in (("without attackers", quiet), ("under attack", attacked)):
        p50, p99 = percentile(values, 0.5) * 1000, percentile(values, 0.99) * 1000
        goal = "p99 <= 250 ms" if name == "under attack" else ""
        report.figure(f"latency {name}", f"p50 {p50:.1f} ms, p99 {p99:.1f} ms", goal)
    report.figure("refused requests", f"{attack['bytes'] / seconds / 1e6:.0f} MB/s", ">= 50")
    report.figure("connections held by attackers", f"{attack['held']}, {most_files} files open")
    report.figure("viewers lost", f"{lost}", "0")
    report.figure(f"memory {SETTLE_SECONDS:.0f} s later", f"{grown / 2**20:+.1f} MiB")
    report.figure(f"open files {SETTLE_SECONDS:.0f} s later", f"{left:+d}", "+0")
    report.show()


async def attack_during(
    server: Server, readers: list[Reader], sent_at: list[float], seconds: float
) -> tuple[list[float], dict[str, int], int]:
    """Return the latencies, what the attackers report, and how many files the server had open."""
    attackers = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.common.attackers"),
        *(str(server.port), str(HELD), str(BYTES_PER_SECOND)),
        stdin=PIPE,
        stdout=PIPE,
    )
    assert attackers.stdin is not None
    assert attackers.stdout is not None
    try:
        found = await latencies(server, readers, sent_at, seconds)
        most_files = psutil.Process(server.pid).num_fds()
        attackers.stdin.write(b"count\n")
        counted = json.loads(await asyncio.wait_for(attackers.stdout.readline(), 60))
    finally:
        attackers.kill()
        await attackers.wait()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}") as http:
        (await http.get("/health/live")).raise_for_status()
    return found, counted, most_files


async def latencies(
    server: Server, readers: list[Reader], sent_at: list[float], seconds: float
) -> list[float]:
    for reader in readers:
        reader.latencies.clear()
    until = time.perf_counter() + seconds
    while (tick := time.perf_counter()) < until:
        sent_at.append(tick)
        await server.publish([status_update({"at": tick})])
        await asyncio.sleep(max(0.0, tick + 1 / PER_SECOND - time.perf_counter()))
    await asyncio.sleep(0.5)  # events in flight
    return [latency for reader in readers for latency in reader.latencies]


if __name__ == "__main__":
    asyncio.run(main())
