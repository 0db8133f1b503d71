"""Memory of the whole product while it indexes large files, or many files.

Indexes one PDF of 619 pages, one text of 3 MB, then many small files. Each case runs its own
raglive with the built-in embedder and default settings. Every two seconds it reads the memory of
all processes, the embedded Postgres included, until everything is searchable. Memory that processes
share counts once (proportional set size).

Does not show: peaks between two readings, memory that the system uses to cache files, scans and
Office documents, embedding providers.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import psutil

from bench.common.documents import sentence, write_notes, write_pdfs
from bench.common.report import Report, is_quick
from bench.ingest import load
from tests.acceptance.installation import Installation, installed

INTERVAL_SECONDS = 2.0
TEXT_BYTES = 3_000_000
GOAL = "<= 1024 MiB"


async def main() -> None:
    notes = 2_000 if is_quick(__doc__) else 50_000
    report = Report("Memory of all processes while indexing", "peaks between readings, caches.")
    made: dict[str, Callable[[Path], None]] = {
        "a PDF of 619 pages": partial(write_pdfs, count=1, pages=619),
        "a text of 3 MB": write_text,
        f"{notes:,} small files": partial(write_notes, count=notes),
    }
    for what, write in made.items():
        before, most = await measure(write)
        report.figure(f"{what}: before", f"{before >> 20} MiB")
        report.figure(f"{what}: at most", f"{most >> 20} MiB", GOAL)
    report.show()


async def measure(write: Callable[[Path], None]) -> tuple[int, int]:
    """Index the written files; return the memory before and the peak memory, in bytes."""
    with tempfile.TemporaryDirectory(prefix="raglive-bench-") as place:
        documents, watched = Path(place, "documents"), Path(place, "watched")
        watched.mkdir()
        write(documents)
        async with installed(watched, Path(place, "data")) as installation:
            readings = [memory(installation)]
            reading = asyncio.create_task(keep_reading(installation, readings))
            try:
                await load(installation, documents)
            finally:
                reading.cancel()
            return readings[0], max(*readings, memory(installation))


async def keep_reading(installation: Installation, readings: list[int]) -> None:
    while True:
        await asyncio.sleep(INTERVAL_SECONDS)
        readings.append(await asyncio.to_thread(memory, installation))


def memory(installation: Installation) -> int:
    """Return the memory of all processes now, in bytes."""
    held = 0
    for process in (psutil.Process(installation.process.pid), *installation.children()):
        with suppress(psutil.Error):
            held += process.memory_full_info().pss
    return held


def write_text(folder: Path) -> None:
    made = random.Random(0)  # noqa: S311 - the same text every time
    folder.mkdir(parents=True)
    with (folder / "text.txt").open("w") as text:
        while text.tell() < TEXT_BYTES:
            text.write(sentence(made, 80) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
