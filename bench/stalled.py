"""What viewers cost that stop reading: memory, time until they are closed, effect on others.

A status server runs on an embedded Postgres. 20 viewers that read receive 25 events of 20 KB a
second. In every second round ten more viewers subscribe and then read nothing, with small buffers
on their side. Rounds with and without stalled viewers alternate, so that other load of the machine
affects both. Latency is measured from before the commit until a viewer has the event. The number of
bytes held comes from `/metrics`.

Does not show: thousands of viewers (bench/fan_out.py), networks, viewers that read slowly. The p99
on a busy machine varies by more than a tenth: only many rounds on an idle machine are significant.
"""

from __future__ import annotations

import asyncio
import re
import socket
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

import httpx
import psutil

from bench.common.report import Report, is_quick, percentile
from bench.common.viewers import Counts, Viewer
from bench.fan_out import Server, status_server
from raglive.store.registry.pipelines import new_event

READING = 20
STALLED = 10
PER_SECOND = 25
FILLER = "x" * 20_000
ROUND_SECONDS = 8.0
FREED_SECONDS = 5.0
MOST_SECONDS = 30.0  # within which stalled viewers must be closed


@dataclass(slots=True)
class Round:
    """The results of one round."""

    latencies: list[float] = field(default_factory=list)
    most_held: float = 0.0
    closed_after: float | None = None


class Reader(Viewer):
    """Records when each event arrives."""

    def __init__(self, token: str, path: str, sent_at: list[float]) -> None:
        super().__init__(Counts(), token, path)
        self._sent_at = sent_at
        self._seen = 0
        self.latencies: list[float] = []

    def _take(self, packet: bytes) -> None:
        super()._take(packet)
        if packet.startswith(b"42") and b'"status:update"' in packet[:64]:
            self.latencies.append(time.perf_counter() - self._sent_at[self._seen])
            self._seen += 1


async def main() -> None:
    pairs = 2 if is_quick(__doc__) else 8
    report = Report(f"{STALLED} viewers that do not read", "thousands of viewers, networks.")
    async with status_server() as server:
        process = psutil.Process(server.pid)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.port}") as http:
            await run(server, http, stalled=0)  # warm-up
            before = process.memory_info().rss
            rounds = [
                (await run(server, http, stalled=0), await run(server, http, stalled=STALLED))
                for _ in range(pairs)
            ]
            await asyncio.sleep(FREED_SECONDS)
            after = process.memory_info().rss
    show(report, rounds, after - before)


def show(report: Report, rounds: list[tuple[Round, Round]], grown: int) -> None:
    held = max(with_them.most_held for _, with_them in rounds)
    report.figure("most held for one of them", f"{held / 1024:.0f} KiB", "<= 256 KiB")
    closed = [one.closed_after for _, one in rounds if one.closed_after is not None]
    report.figure("all closed, after they stop reading", f"{max(closed):.1f} s", "<= 10 s")
    grew = f"{grown / 2**20:+.1f} MiB"
    report.figure(f"memory {FREED_SECONDS:.0f} s after the last, all rounds", grew)
    for name, at in (("without them", 0), ("with them", 1)):
        all_of = [latency for pair in rounds for latency in pair[at].latencies]
        p50, p99 = percentile(all_of, 0.5) * 1000, percentile(all_of, 0.99) * 1000
        report.figure(f"others, {name}", f"p50 {p50:.1f} ms, p99 {p99:.1f} ms (n={len(all_of)})")
    ratios = [percentile(b.latencies, 0.99) / percentile(a.latencies, 0.99) for a, b in rounds]
    spread = ", ".join(f"{ratio:.2f}" for ratio in sorted(ratios))
    report.figure(
        "others' p99, with by without", f"{statistics.median(ratios):.2f} ({spread})", "< 1.1"
    )
    report.show()


async def run(server: Server, http: httpx.AsyncClient, *, stalled: int) -> Round:
    """Publish for a round, or until the stalled viewers are closed, whichever is later."""
    found, sent_at = Round(), list[float]()
    async with reading(server, sent_at) as readers, not_reading(server, stalled):
        began = time.perf_counter()
        while (passed := time.perf_counter() - began) < ROUND_SECONDS or (
            stalled and found.closed_after is None
        ):
            if passed > MOST_SECONDS:
                raise RuntimeError("viewers that do not read are not closed")
            tick = time.perf_counter()
            sent_at.append(tick)
            await server.publish([new_event("status:update", changes={"filler": FILLER})])
            if len(sent_at) % (PER_SECOND // 5) == 0:
                await look(http, found, passed, stalled)
            await asyncio.sleep(max(0.0, tick + 1 / PER_SECOND - time.perf_counter()))
        await asyncio.sleep(0.5)  # events in flight
        found.latencies = [latency for reader in readers for latency in reader.latencies]
    return found


async def look(http: httpx.AsyncClient, found: Round, passed: float, stalled: int) -> None:
    """Record how many bytes are held, and whether only the reading viewers are left."""
    metrics = (await http.get("/metrics")).raise_for_status().text
    found.most_held = max(found.most_held, gauge(metrics, "raglive_most_held_bytes"))
    left = gauge(metrics, "raglive_connected_clients")
    if stalled and found.closed_after is None and left <= READING:
        found.closed_after = passed


def gauge(metrics: str, name: str) -> float:
    match = re.search(rf"^{name} (\S+)$", metrics, re.MULTILINE)
    if match is None:
        raise RuntimeError(f"there is no metric {name}")
    return float(match[1])


@asynccontextmanager
async def reading(server: Server, sent_at: list[float]) -> AsyncIterator[list[Reader]]:
    readers = [Reader(server.token, server.path, sent_at) for _ in range(READING)]
    made = [await connect(server, reader) for reader in readers]
    try:
        yield readers
    finally:
        for transport in made:
            transport.abort()


@asynccontextmanager
async def not_reading(server: Server, viewers: int) -> AsyncIterator[None]:
    made = []
    for _ in range(viewers):
        transport = await connect(server, Viewer(Counts(), server.token, server.path), narrow=True)
        cast("asyncio.ReadTransport", transport).pause_reading()
        made.append(transport)
    try:
        yield
    finally:
        for transport in made:
            transport.abort()


async def connect(server: Server, viewer: Viewer, *, narrow: bool = False) -> asyncio.Transport:
    client = socket.socket()
    if narrow:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(client, ("127.0.0.1", server.port))
    transport, _ = await loop.create_connection(lambda: viewer, sock=client)
    async with asyncio.timeout(60):
        await viewer.subscribed
    return transport


if __name__ == "__main__":
    asyncio.run(main())
