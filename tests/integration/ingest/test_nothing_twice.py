"""No text is embedded twice, every token is recorded, and a spent budget pauses."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from raglive.embedding import openai_batches
from raglive.ingest import retry_policy, worker
from raglive.store.pool import Database
from raglive_contract.errors import RagliveError

from .ingesting import document, ingest
from .providing import Provider, provider

TOKENS_PER_TEXT = 10  # as billed


@pytest.fixture
async def paid() -> AsyncIterator[Provider]:
    async with provider() as running:
        yield running


async def chunks(database: Database) -> int:
    found: int = await database.fetchval("SELECT count(*) FROM raglive.chunks")
    return found


async def stage_names(database: Database) -> list[list[str]]:
    rows = await database.fetch("SELECT stages FROM raglive.attempts ORDER BY attempt")
    return [[stage["stage"] for stage in row["stages"]] for row in rows]


async def test_an_edit_embeds_what_changed_and_a_copy_or_a_rename_nothing(
    dsn: str, database: Database, paid: Provider, tmp_path: Path
) -> None:
    book = tmp_path / "book.txt"
    text = document("one", 300)
    book.write_text(text)
    await ingest(dsn, tmp_path, paid.url)
    first = paid.embedded.total()
    assert first == await chunks(database) > 300

    middle = text.index("Paragraph 150")
    book.write_text(text[:middle] + document("new", 1) + text[middle:])
    await ingest(dsn, tmp_path, paid.url)
    edited = paid.embedded.total() - first
    assert 0 < edited <= 5
    [results] = await database.fetch("SELECT results FROM raglive.files")
    assert results["results"]["embeddings_generated"] == edited

    (tmp_path / "copy.txt").write_text(book.read_text())
    (tmp_path / "copy as well.txt").write_text(book.read_text())
    book.rename(tmp_path / "renamed.txt")
    await ingest(dsn, tmp_path, paid.url)
    assert paid.embedded.total() == first + edited
    assert set(paid.embedded.values()) == {1}
    ledger = await database.fetchrow(
        "SELECT sum(texts) AS texts, sum(tokens) AS tokens FROM raglive.embedding_usage"
    )
    assert ledger is not None
    total = first + edited
    assert (ledger["texts"], ledger["tokens"]) == (total, TOKENS_PER_TEXT * total)


async def test_concurrent_files_with_equal_text_are_paid_for_once(
    dsn: str, database: Database, paid: Provider, tmp_path: Path
) -> None:
    for name in "abcdefgh":
        (tmp_path / f"{name}.txt").write_text(document("same", 10))
    await ingest(dsn, tmp_path, paid.url)
    assert set(paid.embedded.values()) == {1}
    assert await chunks(database) == 8 * paid.embedded.total()


async def test_a_retry_continues_with_the_stored_text_and_vectors(
    dsn: str,
    database: Database,
    paid: Provider,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(openai_batches, "MAX_INPUTS_PER_REQUEST", 4)
    monkeypatch.setattr(retry_policy, "FIRST_RETRY_SECONDS", 0.1)
    (tmp_path / "a.txt").write_text(document("one", 40))
    paid.fails_once_after = 5
    await ingest(dsn, tmp_path, paid.url, RAGLIVE_EMBEDDING_DIMENSIONS="8")
    assert set(paid.embedded.values()) == {1}
    assert paid.embedded.total() == await chunks(database)
    assert await stage_names(database) == [
        ["extraction", "chunking", "embedding"],
        ["embedding", "storing"],
    ]
    [first, _] = await database.fetch(
        "SELECT outcome, error FROM raglive.attempts ORDER BY attempt"
    )
    assert (first["outcome"], first["error"]["code"]) == ("failed", "embedding_unavailable")
    assert first["error"]["next_attempt_at"]
    assert await database.fetchval("SELECT count(*) FROM raglive.drafts") == 0
    assert await database.fetchval("SELECT count(*) FROM raglive.cached_vectors") == 0


async def test_expensive_files_wait_while_others_continue_until_the_budget_is_spent(
    dsn: str,
    database: Database,
    paid: Provider,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(openai_batches, "MAX_INPUTS_PER_REQUEST", 4)
    price: dict[str, Any] = {"RAGLIVE_EMBEDDING_PRICE_PER_MILLION_TOKENS": "1000"}

    async def index(budget: str) -> RagliveError | None:
        try:
            await ingest(dsn, tmp_path, paid.url, **price, RAGLIVE_EMBEDDING_BUDGET=budget)
        except RagliveError as left:
            return left
        return None

    async def have_spent(cost: float) -> None:
        await database.execute(
            """UPDATE raglive.embedding_usage
               SET cost = $1::float8 / (SELECT count(*) FROM raglive.embedding_usage)""",
            cost,
        )

    async def waiting() -> dict[str, str]:
        rows = await database.fetch(
            "SELECT name, error ->> 'code' AS code FROM raglive.files WHERE state = 'queued'"
        )
        return {row["name"]: row["code"] for row in rows}

    (tmp_path / "first.txt").write_text(document("first", 1))
    assert await index("10") is None
    await have_spent(9)
    (tmp_path / "huge.txt").write_text(document("huge", 40))
    (tmp_path / "large.txt").write_text(document("large", 5))
    (tmp_path / "small.txt").write_text(document("small", 1))
    left = await index("10")
    assert left
    assert "2 files" in left.message
    beyond = {"huge.txt": "embedding_budget_too_small", "large.txt": "embedding_budget_spent"}
    assert await waiting() == beyond
    assert await database.fetchval("SELECT paused FROM raglive.heads") is None
    assert not any("huge" in text or "large" in text for text in paid.embedded)
    most = "SELECT max(attempt) FROM raglive.attempts"
    assert await database.fetchval(most) == 1

    await have_spent(9.999)
    (tmp_path / "late.txt").write_text(document("late", 1))
    monkeypatch.setattr(worker, "MAX_PAUSE_IN_SINGLE_MODE_SECONDS", 0.5)
    refused = await index("10")
    assert refused
    assert refused.code == "embedding_budget_spent"
    assert "budget of 10 is spent except for 0.001" in refused.message
    paused = await database.fetchval("SELECT paused FROM raglive.heads")
    assert "RAGLIVE_EMBEDDING_BUDGET" in paused["what_to_do"]
    assert await waiting() == {**beyond, "late.txt": None}

    assert await index("1000") is None
    assert await database.fetchval("SELECT paused FROM raglive.heads") is None
    states = await database.fetch("SELECT DISTINCT state FROM raglive.files")
    assert [row["state"] for row in states] == ["completed"]
    assert set(paid.embedded.values()) == {1}
    assert await database.fetchval("SELECT count(*) FROM raglive.embedding_reservations") == 0


async def test_a_refused_key_pauses_and_fails_no_file(
    dsn: str, database: Database, paid: Provider, tmp_path: Path
) -> None:
    for name in "abcd":
        (tmp_path / f"{name}.txt").write_text(document(name, 20))
    paid.faults, paid.fault_rate = ("401",), 1.0
    with pytest.raises(RagliveError, match="EMBEDDING_API_KEY") as refused:
        await ingest(dsn, tmp_path, paid.url, RAGLIVE_EMBEDDING_DIMENSIONS="8")
    assert refused.value.code == "embedding_rejected"
    paused = await database.fetchval("SELECT paused FROM raglive.heads")
    assert (paused["code"], "EMBEDDING_API_KEY" in paused["what_to_do"]) == (
        "embedding_rejected",
        True,
    )
    assert {row["state"] for row in await database.fetch("SELECT state FROM raglive.files")} == {
        "queued"
    }
    assert paid.embedded.total() == 0

    paid.faults = ()
    await ingest(dsn, tmp_path, paid.url, RAGLIVE_EMBEDDING_DIMENSIONS="8")
    assert await database.fetchval("SELECT paused FROM raglive.heads") is None
    assert paid.embedded.total() == await chunks(database) > 0
