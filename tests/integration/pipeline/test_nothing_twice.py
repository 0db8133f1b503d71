"""Nothing is embedded twice, every token is accounted for, and a spent budget pauses."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from raglive.contract.errors import RagliveError
from raglive.database.pool import Database
from raglive.pipeline import attempt, worker
from raglive.pipeline.embedding import batches

from .ingesting import document, ingest
from .providing import Provider, provider

TOKENS_PER_TEXT = 10  # as the provider bills them


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


async def test_files_that_say_the_same_at_the_same_time_are_paid_for_once(
    dsn: str, database: Database, paid: Provider, tmp_path: Path
) -> None:
    for name in "abcdefgh":
        (tmp_path / f"{name}.txt").write_text(document("same", 10))
    await ingest(dsn, tmp_path, paid.url)
    assert set(paid.embedded.values()) == {1}
    assert await chunks(database) == 8 * paid.embedded.total()


async def test_a_retry_goes_on_with_what_was_read_and_embedded(
    dsn: str,
    database: Database,
    paid: Provider,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batches, "_MAX_INPUTS", 4)
    monkeypatch.setattr(attempt, "FIRST_RETRY_SECONDS", 0.1)
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
    assert await database.fetchval("SELECT count(*) FROM raglive.kept_vectors") == 0


async def test_a_spent_budget_pauses_and_a_raised_one_goes_on(
    dsn: str,
    database: Database,
    paid: Provider,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(batches, "_MAX_INPUTS", 4)
    monkeypatch.setattr(worker, "DRAIN_PATIENCE_SECONDS", 1.0)
    for name in "abcd":
        (tmp_path / f"{name}.txt").write_text(document(name, 20))
    price: dict[str, Any] = {"RAGLIVE_EMBEDDING_PRICE_PER_MILLION_TOKENS": "1000"}
    # a guess of 250 tokens a text is reserved before, 10 are billed after
    with pytest.raises(RagliveError, match="RAGLIVE_EMBEDDING_BUDGET") as refused:
        await ingest(dsn, tmp_path, paid.url, **price, RAGLIVE_EMBEDDING_BUDGET="1.5")
    assert (refused.value.code, refused.value.retryable) == ("embedding_budget_spent", True)
    paused = await database.fetchval("SELECT paused FROM raglive.heads")
    assert paused["code"] == "embedding_budget_spent"
    spent = await database.fetchval("SELECT sum(cost) FROM raglive.embedding_usage")
    assert 0 < spent <= 1.5
    outcomes = await database.fetch("SELECT state FROM raglive.files")
    assert Counter(row["state"] for row in outcomes)["failed"] == 0
    held = await database.fetchval(
        "SELECT count(*) FROM raglive.attempts WHERE error ->> 'code' = 'embedding_budget_spent'"
    )
    assert held > 0

    await ingest(dsn, tmp_path, paid.url, **price, RAGLIVE_EMBEDDING_BUDGET="1000")
    assert await database.fetchval("SELECT paused FROM raglive.heads") is None
    assert {row["state"] for row in await database.fetch("SELECT state FROM raglive.files")} == {
        "completed"
    }
    assert set(paid.embedded.values()) == {1}


async def test_a_refused_key_pauses_and_fails_no_file(
    dsn: str, database: Database, paid: Provider, tmp_path: Path
) -> None:
    for name in "abcd":
        (tmp_path / f"{name}.txt").write_text(document(name, 20))
    paid.troubles, paid.chance = ("401",), 1.0
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

    paid.troubles = ()
    await ingest(dsn, tmp_path, paid.url, RAGLIVE_EMBEDDING_DIMENSIONS="8")
    assert await database.fetchval("SELECT paused FROM raglive.heads") is None
    assert paid.embedded.total() == await chunks(database) > 0
