"""Statistics of the index: they decide whether a vector index pays, and the planner needs them."""

from __future__ import annotations

from dataclasses import dataclass

import asyncpg

from raglive.store.sql import load_queries

__all__ = [
    "BUILD_SECONDS",
    "CHUNKS",
    "STEP_SECONDS",
    "IndexStatistics",
    "analyze_outgrown",
    "analyze_table",
    "read_statistics",
]

_QUERIES = load_queries(__name__)

CHUNKS = "raglive.chunks"
MIN_NUMBERS = 10_000_000  # in all vectors together; comparing with fewer takes some 50 ms
MAX_DIMENSIONS = 2_000  # that pgvector indexes
BULK_FILES = 1_000
BULK_SHARE = 0.5  # of the completed files
MIN_ANALYZED_BYTES = 4 << 20  # of a table; scanning a smaller one is as fast as an index
STEP_SECONDS = 30.0  # the time limit of a query
BUILD_SECONDS = 3 * 3600.0  # the time limit of building an index or analyzing a table


@dataclass(frozen=True, slots=True)
class IndexStatistics:
    """The size of the index, the files on their way, and its indexes by validity."""

    chunks: int
    dimensions: int
    waiting_files: int
    completed_files: int
    has_iterative_scan: bool  # pgvector 0.8 or newer
    valid: frozenset[str]
    invalid: frozenset[str]

    @property
    def is_bulk_load(self) -> bool:
        """Whether enough files wait that building the vector index afterwards is cheaper."""
        return self.waiting_files > max(BULK_FILES, BULK_SHARE * self.completed_files)

    @property
    def needs_vector_index(self) -> bool:
        """Whether comparing with every chunk would take noticeable time."""
        is_large = self.chunks * self.dimensions >= MIN_NUMBERS
        return self.has_iterative_scan and is_large and self.dimensions <= MAX_DIMENSIONS


async def read_statistics(connection: asyncpg.Connection) -> IndexStatistics:
    """Read the statistics; the number of chunks is that of the last ANALYZE."""
    row = await connection.fetchrow(_QUERIES["statistics"], timeout=STEP_SECONDS)
    assert row is not None, "the chunks have a table"
    names = {name: frozenset(row[name]) for name in ("valid", "invalid")}
    return IndexStatistics(**{**dict(row), **names})


async def analyze_table(connection: asyncpg.Connection, table: str) -> None:
    """Update the planner's statistics of a table."""
    await connection.execute(_QUERIES["analyze"].format(table=table), timeout=BUILD_SECONDS)


async def analyze_outgrown(connection: asyncpg.Connection) -> None:
    """Analyze tables that a bulk load fills faster than autovacuum notices, once a minute.

    Until then, plans that were cached for a small table keep scanning all of it.
    """
    rows = await connection.fetch(_QUERIES["outgrown"], MIN_ANALYZED_BYTES, timeout=STEP_SECONDS)
    for row in rows:
        await analyze_table(connection, row["name"])
