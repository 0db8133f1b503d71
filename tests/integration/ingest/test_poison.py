"""A text that the provider always fails for: only its own file fails."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from raglive.ingest import pause_monitor, retry_policy
from raglive.store.pool import Database

from .ingesting import document, watching, wired
from .providing import DIMENSIONS, provider

FILES = 8
TRIES = 4


async def test_it_fails_after_its_attempts_and_the_pipeline_never_pauses(
    dsn: str, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry_policy, "LONGEST_RETRY_SECONDS", 0.3)
    monkeypatch.setattr(pause_monitor, "POLL_SECONDS", 0.02)

    async def count(name: str, state: str) -> int:
        query = "SELECT count(*) FROM raglive.files WHERE name LIKE $1 AND state = $2"
        found: int = await database.fetchval(query, name, state)
        return found

    for name in ("bad one", "bad two"):
        (tmp_path / f"{name}.txt").write_text(document(f"poison {name}", 3))
    for number in range(FILES):
        (tmp_path / f"{number}.txt").write_text(document(f"{number}", 1))
    async with provider() as paid:
        paid.fails_at = "poison"
        settings = {
            "RAGLIVE_EMBEDDING_DIMENSIONS": str(DIMENSIONS),
            "RAGLIVE_MAX_ATTEMPTS": str(TRIES),
        }
        async with (
            watching(wired(dsn, paid.url, **settings), tmp_path) as service,
            asyncio.timeout(60),
        ):
            while await count("bad%", "failed") < 2:
                await asyncio.sleep(0.02)
            (tmp_path / "late.txt").write_text(document("late", 1))
            while await count("%", "completed") < FILES + 1:
                await asyncio.sleep(0.02)
            assert (await service.health.report())[0]["embedding"]["circuit"] == "closed"
    outcomes = await database.fetch(
        """SELECT outcome, made.error ->> 'code', count(*) FROM raglive.attempts AS made
           JOIN raglive.files USING (file_key) WHERE name LIKE 'bad%' GROUP BY 1, 2"""
    )
    assert [tuple(row) for row in outcomes] == [("failed", "embedding_text_failed", 2 * TRIES)]
    others = await database.fetch(
        """SELECT DISTINCT outcome FROM raglive.attempts
           JOIN raglive.files USING (file_key) WHERE name NOT LIKE 'bad%'"""
    )
    assert [row["outcome"] for row in others] == ["completed"]
    pauses = "SELECT seq FROM raglive.events WHERE payload -> 'changes' ? 'paused'"
    assert await database.fetch(pauses) == []


async def test_a_file_that_takes_too_long_is_retried_once(
    dsn: str, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retry_policy, "LONGEST_RETRY_SECONDS", 0.3)
    (tmp_path / "slow.csv").write_bytes(b"a row of many;that takes a while;to be read\n" * 500_000)
    failed = """SELECT made.attempt, made.error ->> 'code', made.error ? 'next_attempt_at'
                FROM raglive.attempts AS made ORDER BY 1"""
    state = "SELECT state FROM raglive.files"
    async with provider() as paid:
        settings = {
            "RAGLIVE_EMBEDDING_DIMENSIONS": str(DIMENSIONS),
            "RAGLIVE_EXTRACTION_TIMEOUT_SECONDS": "0.2",
        }
        async with (
            watching(wired(dsn, paid.url, **settings), tmp_path) as service,
            asyncio.timeout(60),
        ):
            while await database.fetchval(state) != "failed":
                await asyncio.sleep(0.02)
            health, _ = await service.health.report()
            assert "seccomp" in health["extraction_sandbox"]["active"]
    assert [tuple(row) for row in await database.fetch(failed)] == [
        (1, "extraction_timeout", True),
        (2, "extraction_timeout", False),
    ]
