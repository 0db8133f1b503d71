"""A provider that refuses everything: the pipeline pauses with the reason, and no file fails."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from raglive.embedding import circuit_breaker
from raglive.store.pool import Database

from .ingesting import document, watching, wired
from .providing import DIMENSIONS, provider

FILES = 12


async def states(database: Database) -> Counter[str]:
    rows = await database.fetch("SELECT state FROM raglive.files")
    return Counter(row["state"] for row in rows)


@pytest.mark.parametrize(
    "refusal",
    [
        ("401", "embedding_rejected", "EMBEDDING_API_KEY"),
        ("403", "embedding_rejected", "EMBEDDING_API_KEY"),
        ("404", "embedding_not_configured", "EMBEDDING_MODEL"),
        ("quota", "embedding_quota_spent", "EMBEDDING_API_KEY"),
    ],
)
async def test_it_pauses_with_the_reason_and_resumes_when_that_is_fixed(
    dsn: str,
    database: Database,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    refusal: tuple[str, str, str],
) -> None:
    trouble, code, setting = refusal
    monkeypatch.setattr(circuit_breaker, "LONGEST_PAUSE_SECONDS", 0.3)
    for number in range(FILES):
        (tmp_path / f"{number}.txt").write_text(document(f"{number}", 2))

    async def paused() -> dict[str, Any] | None:
        found: dict[str, Any] | None = await database.fetchval("SELECT paused FROM raglive.heads")
        return found

    async with provider() as paid:
        paid.faults, paid.fault_rate = (trouble,), 1.0
        wiring = wired(dsn, paid.url, RAGLIVE_EMBEDDING_DIMENSIONS=str(DIMENSIONS))
        async with watching(wiring, tmp_path) as service, asyncio.timeout(60):
            while (reason := await paused()) is None:
                await asyncio.sleep(0.02)
            assert reason["code"] == code
            assert setting in reason["what_to_do"]
            words = f"{reason['message']} {reason['what_to_do']}"
            assert (words.count(setting), words.count("start the pipeline again")) == (1, 1)
            while sum((await states(database)).values()) < FILES:
                await asyncio.sleep(0.02)
            health, _ = await service.health.report()
            assert health["status"] == "degraded"
            assert health["paused"]["code"] == code
            paid.fault_rate = 0.0
            while await states(database) != {"completed": FILES}:
                await asyncio.sleep(0.02)
            while await paused() is not None:
                await asyncio.sleep(0.02)
    assert set(paid.embedded.values()) == {1}
    outcomes = await database.fetch("SELECT DISTINCT outcome FROM raglive.attempts")
    assert {row["outcome"] for row in outcomes} == {"cancelled", "completed"}
    published = await database.fetch(
        "SELECT payload #>> '{changes,paused,code}' AS code FROM raglive.events"
        " WHERE payload -> 'changes' ? 'paused' ORDER BY seq"
    )
    assert [row["code"] for row in published] == [code, None]
