"""The documented SQL works on a real database."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest

from raglive.store.pool import Connection, Database
from raglive.store.registry.pipelines import PipelineRecord
from tests.unit.docs.markdown import ROOT, blocks

HOW_TO = ROOT / "docs" / "how-to"
GONE = (
    '{"file": {"id": "a", "name": "a.pdf", "deleted_at": "2026-01-02T03:04:05Z"}, '
    '"reason": "removed"}'
)


@asynccontextmanager
async def undone(database: Database) -> AsyncIterator[Connection]:
    """A transaction that is rolled back, because roles belong to the whole server."""
    async with database.connection() as connection:
        transaction = connection.transaction()
        await transaction.start()
        try:
            yield connection
        finally:
            await transaction.rollback()


async def become(connection: Connection, role: str) -> None:
    await connection.execute(f"GRANT {role} TO CURRENT_USER; SET LOCAL ROLE {role}")


@pytest.fixture
async def sql(database: Database, pipeline: PipelineRecord) -> AsyncIterator[Connection]:
    """A connection to a database in which a pipeline was registered."""
    async with undone(database) as connection:
        yield connection


async def test_publishing_in_a_transaction(sql: Connection) -> None:
    in_transaction, live, own_functions = blocks(HOW_TO / "publish-events.md", "sql")
    await sql.execute(in_transaction.replace("BEGIN;", "").replace("COMMIT;", ""))
    row = await sql.fetchrow("SELECT state, name FROM raglive.files WHERE file_id = 'invoice-17'")
    assert row is not None
    assert tuple(row) == ("completed", "invoice-17.pdf")

    await sql.execute(live)
    row = await sql.fetchrow(
        "SELECT status, uptime, memory_usage FROM raglive.pipelines "
        "JOIN raglive.heads USING (pipeline_key) WHERE pipeline_id = 'nightly-import'"
    )
    assert row is not None
    assert tuple(row) == ("online", 12.5, 104857600)

    await sql.execute(own_functions)
    await become(sql, "importer")
    cursor = await sql.fetchval(f"SELECT publish_import('file:deleted', '{GONE}')")
    assert cursor.endswith(".0000000000000004")
    beat = '[{"type": "heartbeat", "uptime": 1, "memory_usage": 1, "active_files": 0}]'
    assert await sql.fetchval(f"SELECT show_import('{beat}')") == 1


async def test_an_agent_role_can_only_read_the_index(
    sql: Connection, pipeline: PipelineRecord
) -> None:
    grants, search, look_around = blocks(HOW_TO / "read-the-index.md", "sql")
    await sql.execute(
        "WITH made AS (INSERT INTO raglive.files (pipeline_key, file_id, name, state, finished_at) "
        "VALUES ($1, 'f', 'f.pdf', 'completed', $2) RETURNING file_key) "
        "INSERT INTO raglive.chunks (file_key, chunk_index, content, content_hash, start_offset, "
        "end_offset, embedding) SELECT file_key, 0, 'text', sha256('text'), 0, 4, "
        "array_fill(1, ARRAY[256])::vector FROM made",
        pipeline.key,
        datetime.now(UTC),
    )
    await sql.execute(grants)
    await become(sql, "agent")
    shown = re.sub(r"--.*", "", search + look_around).split(";")
    queries = [query for query in shown if query.strip()]
    assert len(queries) == 5
    assert len(await sql.fetch(queries[-1])) == 1
    for query in queries:
        await sql.prepare(query)
    found = await sql.fetch(
        "SELECT content FROM match_documents((SELECT embedding FROM documents LIMIT 1))"
    )
    assert [row["content"] for row in found] == ["text"]
    assert await sql.fetchval("SELECT id FROM document_metadata") == "f"
    assert await sql.fetchval("SELECT has_table_privilege('raglive.files', 'UPDATE')") is False
    assert await sql.fetchval("SELECT has_table_privilege('raglive.events', 'SELECT')") is False
