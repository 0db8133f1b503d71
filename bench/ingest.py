"""Bulk ingestion: how close the whole product comes to its slowest part.

Moves a folder of PDFs, then one of small Markdown files, into the folder that a running raglive
watches, with the built-in embedder and default settings. It measures from the move until every file
is searchable. Then, in the same run, the extractor alone reads the same files with as many child
processes. The product does this too, and also chunks, embeds, stores and publishes events: the
ratio is the cost of that. The rate in each tenth of the small files shows whether the rate is
constant. During the first tenth the folder is still being listed; at the end of the last one only a
few files are in progress. CPU seconds are those of each process, so they show where the time went
even on a busy machine. They do not include extractors that were replaced; each is replaced after
2,000 files. Memory has its own bench, `ingest_memory`, because reading the shared memory of
processes stops them for that time.

Does not show: scans, tables and pictures (the PDFs are plain text), embedding providers, a
remote database, searches during the load.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import asyncpg
import psutil

from bench.common.documents import write_notes, write_pdfs
from bench.common.report import Report, is_quick
from raglive.extraction.pool import ExtractorPool
from tests.acceptance.installation import Installation, installed

PAGES_PER_PDF = 10
PATIENCE_SECONDS = 900.0
_WAITING = "SELECT queued + processing FROM raglive.heads"
_ENDED = """
SELECT extract(epoch FROM finished_at)::float8 AS at FROM raglive.files
WHERE location LIKE $1 || '/%' AND state = 'completed' ORDER BY 1
"""
_CHUNKS = """
SELECT count(*) FROM raglive.chunks JOIN raglive.files USING (file_key)
WHERE location LIKE $1 || '/%'
"""


@dataclass(frozen=True, slots=True)
class Load:
    """The result of loading one folder; times in seconds."""

    wall: float
    ended: list[float]
    chunks: int
    cpu: dict[str, float]

    @property
    def files(self) -> int:
        """The number of completed files."""
        return len(self.ended)


async def main() -> None:
    quick = is_quick(__doc__)
    pdfs, notes = (60, 600) if quick else (300, 50_000)
    report = Report(
        "Bulk ingestion, whole product against the extractor alone",
        "scans, tables and pictures, a provider's embeddings, a database elsewhere.",
    )
    with tempfile.TemporaryDirectory(prefix="raglive-bench-") as place:
        made, watched = Path(place, "made"), Path(place, "watched")
        watched.mkdir()
        write_pdfs(made / "pdfs", pdfs, PAGES_PER_PDF)
        write_notes(made / "notes", notes)
        async with installed(watched, Path(place, "data")) as installation:
            report_pdfs(
                report, await load(installation, made / "pdfs"), await alone(watched / "pdfs")
            )
            report_notes(
                report, await load(installation, made / "notes"), await alone(watched / "notes")
            )
    report.show()


def report_pdfs(report: Report, load: Load, alone: float) -> None:
    pages = load.files * PAGES_PER_PDF
    report.figure("PDF pages/s, product", f"{pages / load.wall:.0f}", ">= 200 on two cores")
    report.figure("PDF pages/s, extractor alone", f"{pages / alone:.0f}")
    report.figure("ratio", f"{alone / load.wall:.2f}", ">= 0.5")
    report.figure("chunks/s", f"{load.chunks / load.wall:.0f}")
    report_cpu(report, load)


def report_notes(report: Report, load: Load, alone: float) -> None:
    report.figure("small files/s, product", f"{load.files / load.wall:.0f}")
    report.figure("small files/s, extractor alone", f"{load.files / alone:.0f}")
    report.figure("ratio", f"{alone / load.wall:.2f}")
    tenth = load.files // 10
    ends = [load.ended[0], *(load.ended[tenth * n - 1] for n in range(1, 11))]
    rates = [tenth / (b - a) for a, b in pairwise(ends)]
    report.figure("files/s, by tenths", " ".join(f"{rate:.0f}" for rate in rates), "flat")
    report_cpu(report, load)


def report_cpu(report: Report, load: Load) -> None:
    for name, seconds in sorted(load.cpu.items(), key=lambda one: -one[1]):
        report.figure(f"    CPU ms per file: {name}", f"{1000 * seconds / load.files:.1f}")


async def load(installation: Installation, folder: Path) -> Load:
    """Move a folder into the watched one; return when all its files are done."""
    count = sum(1 for path in folder.rglob("*") if path.is_file())
    _, dsn, _ = await installation.cli("db", "url")
    connection = await asyncpg.connect(dsn.strip())
    try:
        before = cpu_times(installation)
        began = time.time()
        folder.rename(installation.folder / folder.name)
        ended: list[float] = []
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(ended) < count:
                await asyncio.sleep(0.2)
                if await connection.fetchval(_WAITING) == 0:
                    ended = [row["at"] for row in await connection.fetch(_ENDED, folder.name)]
        chunks = await connection.fetchval(_CHUNKS, folder.name)
        after = cpu_times(installation)
        spent = {name: max(0.0, after[name] - before.get(name, 0.0)) for name in after}
        return Load(max(ended) - began, ended, chunks, spent)
    finally:
        await connection.close()


async def alone(folder: Path) -> float:
    """Read and chunk every file with the extractor alone; return the seconds."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    workers = min(os.cpu_count() or 1, 8)
    async with ExtractorPool(workers) as pool:
        began = time.time()
        rest = iter(paths)

        async def read(mine: Iterable[Path]) -> None:
            for path in mine:
                await pool.extract_chunks(path, name=path.name)

        await asyncio.gather(*(read(rest) for _ in range(workers)))
        return time.time() - began


def cpu_times(installation: Installation) -> dict[str, float]:
    """Return the CPU seconds that each part of the product has used."""
    spent: dict[str, float] = defaultdict(float)
    for process in installation.children():
        with suppress(psutil.Error):
            times = process.cpu_times()
            spent[_part(process.cmdline())] += times.user + times.system
    return spent


def _part(command: list[str]) -> str:
    line = " ".join(command)
    for mark, name in (
        ("extraction.child", "extractors"),
        ("raglive pipeline", "pipeline"),
        ("raglive server", "status server"),
        ("raglive dashboard", "dashboard"),
    ):
        if mark in line:
            return name
    return "Postgres"


if __name__ == "__main__":
    asyncio.run(main())
