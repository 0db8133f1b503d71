"""Rebuilding the index with another model: rate, memory, disk, and the effect on searches.

Fills an embedded Postgres with default settings with chunks of a kilobyte, vectors of 256
dimensions and their search indexes. Then it runs `raglive reindex` to 1,536 dimensions, with a
provider in its own process that answers at once. The command is killed half-way and run again.
Meanwhile, searches by meaning run with a short pause between them. Every few milliseconds
`documents` is read and the writers' lock is taken: the longest of these waits is the effect on
readers and writers. Memory is that of the command, and of all processes of Postgres by their share.

Does not show: the latency and limits of a real provider; files that arrive meanwhile; a remote
database.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

import psutil

from bench.common.large_index import fill_index
from bench.common.report import Report, is_quick, percentile
from raglive.app.embedder import search_config
from raglive.local_stack.embedded_postgres import EmbeddedPostgres
from raglive.search.service import SearchMode, SearchRequest, SearchService
from raglive.settings import read_settings
from raglive.store.migrate import migrate
from raglive.store.pool import Database

DIMENSIONS = 1_536
PATIENCE_SECONDS = 3_600.0
_PROGRESS = re.compile(r"chunks: ([^,\n]+)")
_OLD_LEFT = """
SELECT (SELECT count(*) FROM raglive.cached_vectors)
     + (SELECT count(*) FROM raglive.chunks WHERE vector_dims(embedding) <> $1)
"""
_MIB = 2**20


@dataclass(slots=True)
class Probes:
    """What is measured during the work, until it ends."""

    searches: list[float] = field(default_factory=list)
    reads: list[float] = field(default_factory=list)
    stores: list[float] = field(default_factory=list)
    command_bytes: int = 0
    postgres_bytes: int = 0
    disk_bytes: int = 0
    command: psutil.Process | None = None


@dataclass(slots=True)
class Phases:
    """The time at which the command first printed each note, in seconds."""

    began: float = field(default_factory=time.perf_counter)
    notes: dict[str, float] = field(default_factory=dict)

    def seconds(self, note: str, until: str) -> float:
        return self.notes[until] - self.notes[note]


async def main() -> None:
    chunks = 10_000 if is_quick(__doc__) else 100_000
    report = Report(
        "Rebuilding the index", "a provider's latency and limits, files coming in, a network."
    )
    with tempfile.TemporaryDirectory(prefix="raglive-bench-") as place:
        async with EmbeddedPostgres(Path(place), password=secrets.token_hex(16)) as server:
            await migrate(server.dsn)
            database = await Database.connect(server.dsn, name="bench")
            try:
                async with providing() as provider:
                    assert server.pid is not None
                    await measure(report, database, provider, chunks, psutil.Process(server.pid))
            finally:
                await database.close()
    report.show()


async def measure(
    report: Report, database: Database, provider: Provider, chunks: int, postgres: psutil.Process
) -> None:
    await fill_index(database, chunks)
    before = await disk(database)
    alone = Probes()
    async with probing(alone, database, provider, postgres):
        await asyncio.sleep(5)
    probes = Probes()
    async with probing(probes, database, provider, postgres):
        killed = await run(database.dsn, provider, probes, kill_at=chunks // 2)
        again = await run(database.dsn, provider, probes)
    report_pace(report, chunks, killed, again)
    report_others(report, alone, probes)
    sizes = before / _MIB, probes.disk_bytes / _MIB, await disk(database) / _MIB
    report.figure("disk before, at most, after", "{:.0f}, {:.0f}, {:.0f} MiB".format(*sizes))
    left = await database.fetchval(_OLD_LEFT, DIMENSIONS)
    report.figure("vectors left that nobody needs", str(left), "0")
    sent = await provider.count()
    again_sent = f"{sent['texts']}, {sent['repeated']}"
    report.figure("texts sent, sent again", again_sent, "those under way")


def report_pace(report: Report, chunks: int, killed: Phases, again: Phases) -> None:
    rate = chunks / 2 / killed.seconds("embedding", "ended")
    report.figure("embedded and stored, until it is killed", f"{rate:.0f} chunks/s")
    resumed = again.notes["embedding"] - again.began
    report.figure("killed half-way; resumed after", f"{resumed:.1f} s")
    for what, note, until in (
        ("vector index built in", "building the vector index", "changing over"),
        ("changed over in", "changing over", "tidying up"),
        ("tidied up in", "tidying up", "ended"),
    ):
        report.figure(what, f"{again.seconds(note, until):.2f} s")


def report_others(report: Report, alone: Probes, probes: Probes) -> None:
    report.times("search by meaning, before", alone.searches)
    report.times("search by meaning, during", probes.searches)
    late = [percentile(one.searches, 0.99) * 1000 for one in (alone, probes)]
    report.figure("search by meaning, p99", "before {:.0f} ms, during {:.0f} ms".format(*late))
    report.figure("longest wait of who reads `documents`", f"{max(probes.reads) * 1000:.0f} ms")
    report.figure("longest wait of who stores", f"{max(probes.stores) * 1000:.0f} ms")
    report.figure("memory of the command at most", f"{probes.command_bytes / _MIB:.0f} MiB")
    weights = alone.postgres_bytes / _MIB, probes.postgres_bytes / _MIB
    report.figure("memory of Postgres at most", "before {:.0f}, during {:.0f} MiB".format(*weights))


async def run(
    dsn: str, provider: Provider, probes: Probes, *, kill_at: int | None = None
) -> Phases:
    """Run the command to its end, or kill it after a number of embedded texts."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "raglive", "reindex"),
        env={**os.environ, **provider.settings, "DATABASE_URL": dsn, "COLUMNS": "200"},
        stdout=asyncio.subprocess.PIPE,
    )
    probes.command = psutil.Process(process.pid)
    phases = Phases()
    async with asyncio.timeout(PATIENCE_SECONDS):
        hearing = asyncio.create_task(_hear(process, phases))
        if kill_at is not None:
            while (await provider.count())["texts"] < kill_at:
                await asyncio.sleep(0.1)
            process.send_signal(signal.SIGKILL)
        status = await process.wait()
        await hearing
    if status != (0 if kill_at is None else -signal.SIGKILL):
        raise RuntimeError(f"raglive reindex ended with status {status}")
    phases.notes["ended"] = time.perf_counter()
    return phases


async def _hear(process: asyncio.subprocess.Process, phases: Phases) -> None:
    assert process.stdout is not None
    async for line in process.stdout:
        if match := _PROGRESS.search(line.decode()):
            phases.notes.setdefault(match[1], time.perf_counter())


@asynccontextmanager
async def probing(
    probes: Probes, database: Database, provider: Provider, postgres: psutil.Process
) -> AsyncIterator[None]:
    """Search, read, take the writers' lock and weigh, again and again."""
    config = replace(search_config(read_settings(provider.settings)), timeout_seconds=60)
    search = SearchService(database, config)
    active = "SELECT raglive.holds_model(model_key) FROM raglive.embedding_models WHERE active"

    async def ask() -> None:
        number = len(probes.searches)
        hits = await search.search(
            SearchRequest(f"What is the number {number}?", SearchMode.VECTOR)
        )
        if len(hits) != 10:
            raise RuntimeError(f"a search found {len(hits)} chunks")

    async def weigh() -> None:
        if probes.command is not None:
            with suppress(psutil.Error):
                probes.command_bytes = max(probes.command_bytes, probes.command.memory_info().rss)
        weight = await asyncio.to_thread(_weight, postgres)
        probes.postgres_bytes = max(probes.postgres_bytes, weight)
        probes.disk_bytes = max(probes.disk_bytes, await disk(database))

    await ask()  # opens what it needs
    probes.searches.clear()
    tasks = [
        asyncio.create_task(_again(ask, probes.searches, 0.1)),
        asyncio.create_task(
            _again(lambda: database.fetch("SELECT id FROM documents LIMIT 1"), probes.reads, 0.005)
        ),
        asyncio.create_task(_again(lambda: database.fetch(active), probes.stores, 0.005)),
        asyncio.create_task(_again(weigh, [], 0.5)),
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        await search.close()
    for error in ended:
        if isinstance(error, Exception):
            raise error


async def _again(work: Callable[[], Awaitable[object]], times: list[float], rest: float) -> None:
    while True:
        began = time.perf_counter()
        await work()
        times.append(time.perf_counter() - began)
        await asyncio.sleep(rest)


async def disk(database: Database) -> int:
    return int(await database.fetchval("SELECT pg_database_size(current_database())"))


def _weight(postgres: psutil.Process) -> int:
    total = 0
    for process in (postgres, *postgres.children(recursive=True)):
        with suppress(psutil.Error):
            total += process.memory_full_info().pss
    return total


@dataclass(frozen=True, slots=True)
class Provider:
    """A running provider of embeddings."""

    settings: dict[str, str]
    process: asyncio.subprocess.Process

    async def count(self) -> dict[str, int]:
        """Return how many texts it has received, and how many of them more than once."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(b"\n")
        counted: dict[str, int] = json.loads(await self.process.stdout.readline())
        return counted


@asynccontextmanager
async def providing() -> AsyncIterator[Provider]:
    """Run a provider of embeddings until the block ends."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.common.embedding_server", str(DIMENSIONS)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    address = (await process.stdout.readline()).decode().strip()
    settings = {
        "EMBEDDING_PROVIDER": "openai",
        "EMBEDDING_BASE_URL": address,
        "EMBEDDING_MODEL": "large",
    }
    try:
        yield Provider(settings, process)
    finally:
        process.stdin.close()
        await process.wait()


if __name__ == "__main__":
    asyncio.run(main())
