"""How many bytes the database holds for each file, without its chunks and vectors.

Registers files, claims them and completes them, as a pipeline does, on an embedded Postgres, and
vacuums the tables now and then as Postgres does by itself. Then it reads the size of each table and
index that grows with files. The registry and the last attempt stay as long as the file. Its events,
`file:processing` and `file:completed`, expire after `RAGLIVE_KEEP_EVENTS_DAYS`. From both follows
the size after a year of 10,000 new files a day.

Does not show: chunks, vectors, rows of tables, drafts, the write-ahead log.
"""

from __future__ import annotations

import asyncio
import secrets
import tempfile
from pathlib import Path

from uuid6 import uuid7

from bench.common.report import Report, is_quick
from raglive.local_stack.embedded_postgres import EmbeddedPostgres
from raglive.store.migrate import migrate
from raglive.store.pool import Database
from raglive.store.registry.files import FileChanges, ObservedFile, Registry
from raglive.store.registry.jobs import CompletedEnding, Jobs
from raglive.store.registry.pipelines import PipelineRecord
from raglive_contract.states import Stage
from raglive_contract.wire import WireFileResults, WireStageDuration

FILES_A_DAY = 10_000
DAYS_KEPT = 30
BATCH = 100
VACUUM_FILES = 1000  # as often as the defaults of autovacuum would at this size
_TABLES = ("raglive.files", "raglive.attempts", "raglive.events")
_VACUUM = f"VACUUM (ANALYZE) {', '.join(_TABLES)}"
_SIZES = """
SELECT relation.relname AS name, pg_relation_size(relation.oid) AS bytes
FROM pg_class AS relation LEFT JOIN pg_index ON indexrelid = relation.oid
WHERE coalesce(indrelid, relation.oid) = $1::text::regclass
ORDER BY relkind DESC, relname
"""
_RESULTS = WireFileResults(
    chunks_created=12, embeddings_generated=12, processing_duration=0.412, content_length=12_345
)
_STAGES: list[WireStageDuration] = [
    {"stage": Stage.EXTRACTION, "duration": 0.214},
    {"stage": Stage.CHUNKING, "duration": 0.012},
    {"stage": Stage.EMBEDDING, "duration": 0.151},
    {"stage": Stage.STORING, "duration": 0.035},
]


async def main() -> None:
    files = 3000 if is_quick(__doc__) else 30_000
    report = Report("Size of the log and the registry", "chunks, vectors, drafts, the WAL.")
    with tempfile.TemporaryDirectory(prefix="raglive-bench-") as place:
        async with EmbeddedPostgres(Path(place), password=secrets.token_hex(16)) as server:
            await migrate(server.dsn)
            database = await Database.connect(server.dsn, name="bench")
            try:
                record = await PipelineRecord.register(database, "bench", "local_files")
                await process(record, files)
                await database.execute(_VACUUM)
                await measure(report, database, files)
            finally:
                await database.close()
    report.show()


async def process(record: PipelineRecord, files: int) -> None:
    registry = Registry(record)
    jobs = Jobs(record, "bench:1", 60)
    for start in range(0, files, BATCH):
        new = [_observed(number) for number in range(start, start + BATCH)]
        await registry.apply(FileChanges(new=new))
        for job in await jobs.claim(BATCH):
            async with jobs.ending(job, CompletedEnding(_RESULTS, _STAGES)):
                pass
        if start % VACUUM_FILES == 0:
            await record.database.execute(_VACUUM)


async def measure(report: Report, database: Database, files: int) -> None:
    found: dict[str, float] = {}
    for table in _TABLES:
        rows = await database.fetch(_SIZES, table)
        for row in rows:
            report.figure(row["name"], f"{row['bytes'] / files:,.0f} B/file")
        found[table] = sum(row["bytes"] for row in rows) / files
    events = found.pop("raglive.events")
    stays = sum(found.values())
    report.figure("as long as the file", f"{stays:,.0f} B/file", "<= 3,000 B")
    report.figure("as long as its events", f"{events:,.0f} B/file", "<= 2,000 B")
    for days, what in ((365, "for ever"), (DAYS_KEPT, f"for {DAYS_KEPT} days")):
        gib = (365 * stays + days * events) * FILES_A_DAY / 2**30
        report.figure(f"a year of {FILES_A_DAY:,} files a day, events {what}", f"{gib:.1f} GiB")


def _observed(number: int) -> ObservedFile:
    folder = f"Projects/Customer {number % 97}/{2020 + number % 7}"
    name = f"Quarterly report {number}.pdf"
    return ObservedFile(
        file_id=str(uuid7()),
        location=f"/home/somebody/Documents/{folder}/{name}",
        name=name,
        folder=folder,
        url=f"file:///home/somebody/Documents/{folder}/{name}".replace(" ", "%20"),
        mime_type="application/pdf",
        size_bytes=123_456 + number,
        source={"inode": 1_000_000 + number, "device": 66306, "mtime_ns": 1764310000123456789},
    )


if __name__ == "__main__":
    asyncio.run(main())
