"""Bulk ingestion, raglive against LlamaIndex's `IngestionPipeline` and LangChain's indexing API.

Each loads the same folders, of PDFs and of small Markdown files, into pgvector on an embedded
Postgres with the same settings, one after the other, in one run. All three use raglive's extractor
and embedder. The peers read one file after the other, so they get as many reading processes as
raglive has. The measurement begins when everything is imported, loaded and connected: for raglive
when the folder is moved into the watched one, for the peers when they read the first file. Chunks
have about 1,000 characters and an overlap of 100. In addition, raglive watches the folder,
publishes events, and builds full-text search. LlamaIndex runs with one process and with one for
each core; the better result counts.

Does not show: the embeddings of a provider, which would take most of the time; a second run over
unchanged files.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import tempfile
from pathlib import Path
from typing import Any

from bench.common.documents import write_notes, write_pdfs
from bench.common.report import Report, is_quick
from bench.ingest import load
from raglive.local_stack.embedded_postgres import EmbeddedPostgres
from tests.acceptance.installation import installed

PAGES_PER_PDF = 10
PATIENCE_SECONDS = 1800.0
PYTHON = Path(".make/peers/bin/python")
CORES = min(os.cpu_count() or 1, 8)


async def main() -> None:
    pdfs, notes = (60, 600) if is_quick(__doc__) else (300, 5000)
    report = Report("Bulk ingestion, documents a second", "providers of embeddings, second runs.")
    with tempfile.TemporaryDirectory(prefix="raglive-bench-") as place:
        made, watched = Path(place, "made"), Path(place, "watched")
        watched.mkdir()
        write_pdfs(made / "pdfs", pdfs, PAGES_PER_PDF)
        write_notes(made / "notes", notes)
        rates: dict[str, dict[str, float]] = {"pdfs": {}, "notes": {}}
        async with installed(watched, Path(place, "data")) as installation:
            for what, found in rates.items():
                loaded = await load(installation, made / what)
                found["raglive"] = loaded.files / loaded.wall
        for what, found in rates.items():
            found["LangChain"] = await rate("langchain_load", watched / what, CORES)
            alone = await rate("llama_index_load", watched / what, 1)
            parallel = await rate("llama_index_load", watched / what, CORES)
            found["LlamaIndex"] = max(alone, parallel)
    for what, unit in (("pdfs", f"PDFs of {PAGES_PER_PDF} pages/s"), ("notes", "small files/s")):
        report_rates(report, unit, rates[what])
    report.show()


def report_rates(report: Report, unit: str, found: dict[str, float]) -> None:
    for name, per_second in found.items():
        report.figure(f"{unit}, {name}", f"{per_second:.1f}")
    for name in ("LlamaIndex", "LangChain"):
        ratio = found["raglive"] / found[name]
        report.figure(f"    raglive to {name}", f"{ratio:.2f}", "> 1")


async def rate(peer: str, folder: Path, workers: int) -> float:
    """Let a peer load a folder into a new database; return documents a second."""
    with tempfile.TemporaryDirectory(prefix="raglive-bench-") as place:
        async with EmbeddedPostgres(Path(place), password=secrets.token_hex(16)) as server:
            found = await run(peer, str(folder), server.dsn, str(workers))
    return float(found["documents"] / found["seconds"])


async def run(peer: str, *arguments: str) -> dict[str, Any]:
    paths = os.pathsep.join((str(Path("src").absolute()), str(Path.cwd())))
    process = await asyncio.create_subprocess_exec(
        str(PYTHON.absolute()),
        *("-m", f"bench.peers.{peer}", *arguments),
        env=os.environ | {"PYTHONPATH": paths, "TOKENIZERS_PARALLELISM": "true"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            out, errors = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    if process.returncode:
        raise SystemExit(f"{peer} failed:\n{errors.decode()[-3000:]}")
    answer: dict[str, Any] = json.loads(out.decode().splitlines()[-1])
    return answer


if __name__ == "__main__":
    asyncio.run(main())
