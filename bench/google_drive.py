"""A large folder of Google Drive: first listing, polls, moves, renames, full listing, trash.

The test double serves a folder of small files, a hundred to a folder, in its own process. The
watcher runs on it with an embedded Postgres. Measured are: the time from the first request until
every file is queued; polls that find nothing; all files moved below another folder; this folder
renamed; each file renamed, which must read no file again; the full listing that runs every few
hours; and the folder above all others trashed. All of this is done first with a tenth of the
files, then with all: neither a poll nor the memory of this process may depend on the number of
files. "More" is the peak memory of this process in a step, above its memory at the start.

Does not show: Google's own latency and quota; downloads, extraction and embedding, which begin
during the listing and compete for the same cores.
"""

from __future__ import annotations

import asyncio
import json
import secrets
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from bench.common.rate import cpu_seconds
from bench.common.report import Report, is_quick
from raglive.local_stack.embedded_postgres import EmbeddedPostgres
from raglive.sources.google_drive.client import open_drive
from raglive.sources.google_drive.credentials import read_credentials
from raglive.sources.google_drive.watcher import GoogleDriveWatcher
from raglive.store.migrate import migrate
from raglive.store.pool import Database
from raglive.store.registry.pipelines import PipelineRecord

POLLS = 20
START_SECONDS = 60.0
NO_MORE = "no MiB more"
_QUEUED_AGAIN = "SELECT count(*) FROM raglive.files WHERE desired_generation > 1"


@dataclass(frozen=True, slots=True)
class Double:
    """A running test double of Google Drive."""

    url: str
    root: str
    parts: list[str]
    credentials: str
    process: asyncio.subprocess.Process

    async def rename_all(self) -> None:
        """Rename every file."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(b"rename\n")
        async with asyncio.timeout(START_SECONDS):
            await self.process.stdout.readline()

    async def do(self, action: str, **arguments: str) -> str:
        """Change its contents; return the id of the created item."""
        async with httpx.AsyncClient() as client:
            body = {"action": action, **arguments}
            answer = await client.post(f"{self.url}/__control", json=body)
            return str(answer.raise_for_status().json()["result"])


async def main() -> None:
    files = 10_000 if is_quick(__doc__) else 100_000
    report = Report(
        "A large folder of Google Drive", "Google's latency and quota, downloads, embedding."
    )
    async with own_database() as database:
        await measure(report, database, files // 10)
        await measure(report, database, files)
    report.show()


@asynccontextmanager
async def own_database() -> AsyncIterator[Database]:
    with tempfile.TemporaryDirectory(prefix="raglive-bench-") as place:
        async with EmbeddedPostgres(Path(place), password=secrets.token_hex(16)) as server:
            await migrate(server.dsn)
            database = await Database.connect(server.dsn, name="bench")
            try:
                yield database
            finally:
                await database.close()


@asynccontextmanager
async def serving(files: int) -> AsyncIterator[Double]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.common.drive_server", str(files)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        async with asyncio.timeout(START_SECONDS):
            found = json.loads(await process.stdout.readline())
        yield Double(**found, process=process)
    finally:
        process.terminate()
        await process.wait()


@asynccontextmanager
async def watching(
    database: Database, double: Double, name: str, *, full_listing_seconds: float = 3600
) -> AsyncIterator[GoogleDriveWatcher]:
    record = await PipelineRecord.register(database, name, "google_drive")
    async with open_drive(read_credentials(double.credentials), double.url) as client:
        yield GoogleDriveWatcher(
            record,
            client,
            [double.root],
            check_interval_seconds=60,
            full_listing_seconds=full_listing_seconds,
            on_queued=lambda: None,
        )


async def measure(report: Report, database: Database, files: int) -> None:
    name = f"drive-{files}"
    async with serving(files) as double:
        async with watching(database, double, name) as watcher:
            await list_first(report, watcher, files)
            polls = [(await watcher.check()).duration_seconds for _ in range(POLLS)]
            report.times("    a poll without changes", polls)
            above = await move_all(report, database, watcher, double)
            await double.do("rename", item=above, name="renamed")
            await look_again(report, database, watcher, "in a folder renamed")
            await double.rename_all()
            await look_again(report, database, watcher, "renamed one by one")
        async with watching(database, double, name, full_listing_seconds=0.001) as watcher:
            memory = Memory()
            found = await watcher.check()
            assert (found.files, found.deleted) == (files, 0)
            took = f"{found.duration_seconds:.1f} s, {memory.grown():.0f} MiB more"
            report.figure("    full listing without changes", took, NO_MORE)
        async with watching(database, double, name) as watcher:
            await double.do("trash", item=above)
            await look_again(report, database, watcher, "trashed with their folder")


async def list_first(report: Report, watcher: GoogleDriveWatcher, files: int) -> None:
    memory, cpu = Memory(), cpu_seconds(psutil.Process())
    found = await watcher.check()
    assert found.new == files
    cpu = cpu_seconds(psutil.Process()) - cpu
    took = f"{found.duration_seconds:.1f} s, {cpu:.1f} s CPU, {memory.grown():.0f} MiB more"
    report.figure(f"first listing of {files:,} files", took, f"<= 60 s for 100,000, {NO_MORE}")


async def move_all(
    report: Report, database: Database, watcher: GoogleDriveWatcher, double: Double
) -> str:
    """Move every file, by moving the folders that hold all others; return where they are now."""
    above = await double.do("create_folder", name="above", parent=double.root)
    for part in double.parts:
        await double.do("move", item=part, parent=above)
    await look_again(report, database, watcher, "moved with their folders")
    return above


async def look_again(
    report: Report, database: Database, watcher: GoogleDriveWatcher, what: str
) -> None:
    memory = Memory()
    found = await watcher.check()
    again = await database.fetchval(_QUEUED_AGAIN)
    took = f"{found.duration_seconds:.1f} s, {memory.grown():.0f} MiB more, {again} read again"
    count = found.moved + found.deleted
    report.figure(f"    {count:,} files {what}", took, "0 read again, no MiB more")


class Memory:
    """The growth of this process's peak memory since this object was created."""

    def __init__(self) -> None:
        Path("/proc/self/clear_refs").write_text("5")  # resets the peak to the current value
        self._before = self._most()

    def grown(self) -> float:
        """Return the growth in MiB."""
        return (self._most() - self._before) / 1024

    @staticmethod
    def _most() -> int:
        status = Path("/proc/self/status").read_text()
        return int(status.partition("VmHWM:")[2].split()[0])


if __name__ == "__main__":
    asyncio.run(main())
