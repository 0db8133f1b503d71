"""Despite crashes and faults, each file is completed once and paid for once."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from hashlib import sha256
from pathlib import Path

import pytest

from raglive.embedding import circuit_breaker
from raglive.ingest import retry_policy
from raglive.store.index.verify import find_disagreements
from raglive.store.pool import Database

from .crashing import deaths
from .ingesting import document, ingest
from .providing import DIMENSIONS, Provider, provider

SHARES = 24  # of the steps, one test each, so that a run can draw some of them
STORED = """
    SELECT EXISTS (SELECT FROM raglive.chunks WHERE content_hash = ANY ($1))
        OR EXISTS (SELECT FROM raglive.cached_vectors WHERE content_hash = ANY ($1))
"""


@pytest.fixture
async def paid() -> AsyncIterator[Provider]:
    async with provider() as running:
        yield running


async def completions(database: Database) -> Counter[str]:
    rows = await database.fetch(
        "SELECT payload #>> '{file,name}' AS name FROM raglive.events WHERE type = 'file:completed'"
    )
    return Counter(row["name"] for row in rows)


async def states(database: Database) -> Counter[str]:
    rows = await database.fetch("SELECT state FROM raglive.files")
    return Counter(row["state"] for row in rows)


@pytest.mark.long
@pytest.mark.drawn(1)
@pytest.mark.timeout(900)
@pytest.mark.parametrize("share", range(SHARES))
async def test_killed_at_every_step(
    dsn: str, database: Database, paid: Provider, tmp_path: Path, share: int
) -> None:
    async def is_stored(texts: Sequence[str]) -> bool:
        hashes = [sha256(text.encode()).digest() for text in texts]
        return bool(await database.fetchval(STORED, hashes))

    paid.is_stored = is_stored
    died, errors = await deaths(
        "crash_process", dsn, str(tmp_path), paid.url, str(share + 1), str(SHARES)
    )
    assert died[-1] == "whole", errors
    assert len(died) > 8
    assert await find_disagreements(database) == []
    documents = sorted(tmp_path.glob("*.txt"))
    # each was written once, and all but the last a second time
    expected = Counter({path.name: 2 for path in documents})
    last = max(documents, key=lambda path: int(path.stem))
    expected[last.name] = 1
    assert await completions(database) == expected
    assert set(await states(database)) <= {"completed", "skipped"}
    assert paid.repeated_requests == []
    assert {place.partition(":")[0] for place in died} >= {"main", "attempt", "Task", "storing"}
    assert await database.fetchval("SELECT count(*) FROM raglive.cached_vectors") == 0


@pytest.mark.timeout(300)
async def test_a_provider_that_fails_in_every_way(
    dsn: str,
    database: Database,
    paid: Provider,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retry_policy, "LONGEST_RETRY_SECONDS", 0.2)
    monkeypatch.setattr(circuit_breaker, "LONGEST_PAUSE_SECONDS", 0.2)
    for number in range(40):
        (tmp_path / f"{number}.txt").write_text(document(f"{number}", 1 + number % 7))
    paid.fault_rate = 0.6
    paid.faults = ("429", "500", "503", "cut", "hang", "dimensions", "too few")
    await ingest(
        dsn,
        tmp_path,
        paid.url,
        RAGLIVE_EMBEDDING_TIMEOUT_SECONDS="0.3",
        RAGLIVE_EMBEDDING_DIMENSIONS=str(DIMENSIONS),  # the dimensions, known without a request
        RAGLIVE_MAX_ATTEMPTS="1000",
    )
    assert await states(database) == {"completed": 40}
    assert set((await completions(database)).values()) == {1}
    assert set(paid.embedded.values()) == {1}
    assert await database.fetchval("SELECT count(*) FROM raglive.attempts WHERE error IS NOT NULL")
    spent = await database.fetchval("SELECT sum(texts) FROM raglive.embedding_usage")
    assert spent == await database.fetchval("SELECT count(DISTINCT content) FROM raglive.chunks")
