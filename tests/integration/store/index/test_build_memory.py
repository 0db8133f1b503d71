"""Vector indexes are built in memory if there is enough, and a warning is logged if not."""

from __future__ import annotations

from pathlib import Path

import asyncpg
import pytest
from structlog.testing import capture_logs

from raglive.store.index import build_memory
from raglive.store.index.build_memory import raise_build_memory

ROOM = 300 << 20
ALLOWED = "SELECT pg_size_bytes(current_setting('maintenance_work_mem'))"
VECTORS = """
CREATE TABLE vectors AS
SELECT (SELECT array_agg(random()) FROM generate_series(1, 256) WHERE n > 0)::vector(256) AS vector
FROM generate_series(1, 3000) AS n
"""


async def test_the_embedded_server_gets_memory_within_its_limit(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        if await connection.fetchval("SHOW cluster_name") != "raglive":
            pytest.skip("this server's memory is not known")
        before = await connection.fetchval(ALLOWED)
        await raise_build_memory(connection, 1_000, 256)
        assert await connection.fetchval(ALLOWED) == before
        monkeypatch.setattr(build_memory, "_available_bytes", lambda **_: ROOM)
        await raise_build_memory(connection, 45_000, 1_536)
        assert await connection.fetchval(ALLOWED) == ROOM
        monkeypatch.undo()
        await raise_build_memory(connection, 50_000, 1_536)
        assert ROOM < await connection.fetchval(ALLOWED) <= 50_000 * (4 * 1_536 + 1_000)
    finally:
        await connection.close()


@pytest.mark.parametrize(
    ("limit", "taken", "room"), [("max", "7", ROOM), (f"{ROOM}", f"{ROOM - 50}", 25), ("5", "7", 0)]
)
def test_a_container_s_limit_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, taken: str, room: int
) -> None:
    (tmp_path / "memory.max").write_text(f"{limit}\n")
    (tmp_path / "memory.current").write_text(f"{taken}\n")
    monkeypatch.setattr(build_memory, "CONTAINER", tmp_path)
    found = build_memory._available_bytes(shared=False)
    assert found >= room if limit == "max" else found == room


async def test_an_index_that_outgrows_its_memory_is_logged(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await raise_build_memory(connection, 1, 256)
        await connection.execute("SET maintenance_work_mem = '1MB'")
        await connection.execute(VECTORS)
        with capture_logs() as logs:
            await connection.execute(
                "CREATE INDEX ON vectors USING hnsw (vector vector_cosine_ops)"
            )
        [logged] = logs
        assert logged["event"] == "search_index_outgrows_memory"
        assert "maintenance_work_mem" in logged["hint"]
    finally:
        await connection.close()
