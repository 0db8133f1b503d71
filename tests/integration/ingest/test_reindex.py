"""Reindexing with another model: search keeps working, and nothing is paid for twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from raglive.app.embedder import search_config
from raglive.app.operations import Reindexed, abort_reindex, reindex_all
from raglive.embedding import circuit_breaker, openai_batches
from raglive.ingest import reindex as reindexing
from raglive.ingest.reindex import ReindexProgress
from raglive.search.service import SearchMode, SearchRequest, SearchService
from raglive.settings import read_settings
from raglive.store.index import index_statistics
from raglive.store.index.reindexing import ReindexRefused
from raglive.store.index.vector_space import VectorSpace, active_vector_space
from raglive.store.index.verify import find_disagreements
from raglive.store.pool import Database
from raglive_contract.errors import RagliveError

from .crashing import deaths
from .ingesting import document, ingest, watching, wired
from .providing import DIMENSIONS, Provider, provider

SHARES = 6  # of the steps, one test each, so that a run can draw some of them
QUESTION = "The boiler must be descaled every two years."
NEXT = VectorSpace("openai", "small", DIMENSIONS)
OPENAI = {"EMBEDDING_PROVIDER": "openai", "EMBEDDING_MODEL": "small"}
STORED = """
    SELECT EXISTS (SELECT FROM raglive.cached_vectors
                   JOIN raglive.embedding_models USING (model_key)
                   WHERE content_hash = ANY ($1) AND model = $2)
        OR EXISTS (SELECT FROM raglive.chunks, raglive.embedding_models
                   WHERE content_hash = ANY ($1) AND model = $2
                     AND (active OR next AND next_embedding IS NOT NULL))
"""


@pytest.fixture
async def paid(database: Database) -> AsyncIterator[Provider]:
    async def is_stored(texts: Sequence[str]) -> bool:
        hashes = [sha256(text.encode()).digest() for text in texts]
        stored = await database.fetchval(STORED, hashes, running.model)
        return texts != [QUESTION] and bool(stored)

    async with provider() as running:
        running.is_stored = is_stored
        yield running


def ignore_progress(_: ReindexProgress) -> None:
    """Ignore the progress."""


async def nearest(database: Database, text: str, **environment: str) -> str:
    """Return what a search by meaning finds first."""
    search = SearchService(database, search_config(read_settings(environment)))
    try:
        hits = await search.search(SearchRequest(text, SearchMode.VECTOR, limit=1))
    finally:
        await search.close()
    return hits[0].content


async def eventually(database: Database, query: str, wanted: object) -> None:
    async with asyncio.timeout(60):
        while await database.fetchval(query) != wanted:
            await asyncio.sleep(0.05)


async def reindex_with(dsn: str, provider_url: str) -> Reindexed:
    return await reindex_all(wired(dsn, provider_url), ignore_progress)


async def index_built_in(dsn: str, folder: Path, **texts: str) -> None:
    for name, text in texts.items():
        (folder / f"{name}.txt").write_text(text)
    await ingest(dsn, folder, "", EMBEDDING_PROVIDER="builtin", EMBEDDING_MODEL="builtin")


@pytest.mark.timeout(180)
async def test_the_index_is_searchable_throughout_while_files_change(
    dsn: str,
    database: Database,
    paid: Provider,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(openai_batches, "MAX_INPUTS_PER_REQUEST", 8)
    monkeypatch.setattr(reindexing, "PAGE_CHUNKS", 32)
    monkeypatch.setattr(index_statistics, "MIN_NUMBERS", 1)  # with a vector index
    for number in range(20):
        (tmp_path / f"{number}.txt").write_text(document(f"old{number}", 8))
    kept = tmp_path / "kept.txt"
    kept.write_text(QUESTION)
    files = "SELECT count(*) FROM raglive.files WHERE state = 'completed'"
    async with watching(wired(dsn, None), tmp_path) as service:
        await eventually(database, files, 21)
        found: list[str] = []
        done = asyncio.Event()

        async def write() -> None:
            for number in range(12):
                (tmp_path / f"new{number}.txt").write_text(document(f"new{number}", 3))
                edited = tmp_path / f"{number}.txt"
                edited.write_text(edited.read_text() + document("more", 1))
                (tmp_path / f"{19 - number % 7}.txt").unlink(missing_ok=True)
                await asyncio.sleep(0.05)

        async def ask() -> None:
            while not done.is_set():
                found.append(await nearest(database, QUESTION, EMBEDDING_BASE_URL=paid.url))
                assert await find_disagreements(database) == []

        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(ask())
            writing = tasks.create_task(write())
            made = await reindex_with(dsn, paid.url)
            await writing
            done.set()
        assert made.space == NEXT
        assert set(found) == {QUESTION}
        await eventually(
            database, "SELECT paused ->> 'code' FROM raglive.heads", "embedding_model_changed"
        )
        paused = (await service.health.report())[0]["paused"]
        assert "openai small" in paused["message"]
        assert "EMBEDDING_MODEL=small" in paused["what_to_do"]
        (tmp_path / "late.txt").write_text("What comes while it is paused waits.")
        late = "SELECT count(*) FROM raglive.files WHERE name = 'late.txt' AND state = 'queued'"
        await eventually(database, late, 1)
        failed = "SELECT error ->> 'message' FROM raglive.attempts WHERE outcome = 'failed' LIMIT 1"
        assert await database.fetchval(failed) is None

    await ingest(dsn, tmp_path, paid.url)
    assert await database.fetchval("SELECT paused FROM raglive.heads") is None
    rows = await database.fetch("SELECT name FROM raglive.files WHERE state = 'completed'")
    assert sorted(row["name"] for row in rows) == sorted(path.name for path in tmp_path.iterdir())
    assert paid.repeated_requests == []
    del paid.embedded[QUESTION]
    assert set(paid.embedded.values()) == {1}
    assert await active_vector_space(database) == NEXT
    async for text in texts_of(database):
        assert await nearest(database, text, EMBEDDING_BASE_URL=paid.url) == text
    left = "SELECT count(*) FROM raglive.cached_vectors JOIN raglive.chunks USING (content_hash)"
    assert await database.fetchval(left) == 0


async def texts_of(database: Database) -> AsyncIterator[str]:
    query = "SELECT DISTINCT ON (file_key) content FROM raglive.chunks ORDER BY file_key, chunk_id"
    for row in await database.fetch(query):
        yield row["content"]


@pytest.mark.drawn(1)
@pytest.mark.timeout(300)
@pytest.mark.parametrize("share", range(SHARES))
async def test_killed_at_every_step_and_paid_once(
    dsn: str, database: Database, paid: Provider, tmp_path: Path, share: int
) -> None:
    await index_built_in(dsn, tmp_path, a=document("a", 3))
    before = await database.fetch("SELECT chunk_id, content FROM raglive.chunks ORDER BY 1")
    died, _ = await deaths("crash_reindex", dsn, paid.url, str(share + 1), str(SHARES))
    assert len(died) > 8
    assert paid.repeated_requests == []
    assert await active_vector_space(database) == replace(NEXT, model=died[-1])
    assert await database.fetch("SELECT chunk_id, content FROM raglive.chunks ORDER BY 1") == before
    assert await database.fetchval("SELECT count(*) FROM raglive.cached_vectors") == 0
    [required] = await database.fetch(
        "SELECT attnotnull FROM pg_attribute"
        " WHERE attrelid = 'raglive.chunks'::regclass AND attname = 'embedding'"
    )
    assert required["attnotnull"]


async def test_rights_on_the_index_survive_the_change(
    dsn: str, database: Database, paid: Provider, tmp_path: Path
) -> None:
    await index_built_in(dsn, tmp_path, a="Hotels in Paris.")
    role = f"reader_{database.dsn.rpartition('/')[2]}"
    await database.execute(f"CREATE ROLE {role}")
    try:
        await database.execute(f"SELECT raglive.grant_view('{role}')")
        await database.execute(f"GRANT UPDATE (content) ON public.documents TO {role}")
        rights = f"""
            SELECT has_table_privilege('{role}', 'public.documents', 'SELECT'),
                   has_column_privilege('{role}', 'public.documents', 'content', 'UPDATE'),
                   has_function_privilege('{role}', oid, 'EXECUTE'),
                   has_table_privilege('public', 'public.documents', 'SELECT'),
                   (SELECT count(*) FROM pg_policies WHERE tablename = 'chunks')
            FROM pg_proc WHERE proname = 'match_documents'
        """
        before = await database.fetchrow(rights)
        await reindex_with(dsn, paid.url)
        assert await database.fetchrow(rights) == before
        [row] = await database.fetch(
            "SELECT content, similarity FROM match_documents((SELECT embedding FROM documents))"
        )
        assert (row["content"], round(row["similarity"], 5)) == ("Hotels in Paris.", 1.0)
    finally:
        await database.execute(f"GRANT {role} TO current_user")
        await database.execute(f"DROP OWNED BY {role}")
        await database.execute(f"DROP ROLE {role}")


async def test_a_spent_budget_ends_it_and_a_raised_budget_continues_it(
    dsn: str,
    database: Database,
    paid: Provider,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(openai_batches, "MAX_INPUTS_PER_REQUEST", 4)
    await index_built_in(dsn, tmp_path, a=document("a", 20), b=document("b", 20))
    price = {"RAGLIVE_EMBEDDING_PRICE_PER_MILLION_TOKENS": "1000"}
    poor = wired(dsn, paid.url, **price, RAGLIVE_EMBEDDING_BUDGET="1.2")
    with pytest.raises(RagliveError, match="RAGLIVE_EMBEDDING_BUDGET") as refused:
        await reindex_all(poor, ignore_progress)
    assert refused.value.code == "embedding_budget_spent"
    spent = await database.fetchval("SELECT sum(cost) FROM raglive.embedding_usage")
    assert 0 < spent <= 1.2
    assert await nearest(database, document("a", 1))
    assert await find_disagreements(database) == []
    await reindex_all(wired(dsn, paid.url, **price), ignore_progress)
    assert set(paid.embedded.values()) == {1}
    [noted] = await database.fetch(
        "SELECT sum(texts) AS texts, sum(tokens) AS tokens, count(DISTINCT file_key) AS files"
        " FROM raglive.embedding_usage"
    )
    assert noted["texts"] == paid.embedded.total()
    assert noted["tokens"] == 10 * paid.embedded.total()
    assert noted["files"] == 2


async def test_a_failing_provider_is_waited_for(
    dsn: str,
    database: Database,
    paid: Provider,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(openai_batches, "MAX_INPUTS_PER_REQUEST", 2)
    monkeypatch.setattr(reindexing, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(circuit_breaker, "LONGEST_PAUSE_SECONDS", 0.2)
    await index_built_in(dsn, tmp_path, a=document("a", 20))
    paid.fault_rate = 0.5
    paid.faults = ("429", "500", "cut", "dimensions", "too few")
    notes: list[str] = []
    asked = wired(dsn, paid.url, RAGLIVE_EMBEDDING_DIMENSIONS="8")
    await reindex_all(asked, lambda latest: notes.append(latest.note))
    assert set(paid.embedded.values()) == {1}
    assert any(note.startswith("waiting: ") for note in notes)


async def test_impossible_requests_are_refused_with_advice(
    dsn: str, database: Database, paid: Provider, tmp_path: Path
) -> None:
    with pytest.raises(ReindexRefused, match="no index yet"):
        await reindex_with(dsn, paid.url)
    await index_built_in(dsn, tmp_path, a="Hotels in Paris.")
    assert (await reindex_all(wired(dsn, None), ignore_progress)).chunks is None
    await database.execute("CREATE VIEW public.mine AS SELECT content FROM public.documents")
    with pytest.raises(ReindexRefused, match="view mine"):
        await reindex_with(dsn, paid.url)
    await database.execute("DROP VIEW public.mine")

    poor = {"RAGLIVE_EMBEDDING_PRICE_PER_MILLION_TOKENS": "1", "RAGLIVE_EMBEDDING_BUDGET": "1e-9"}
    with pytest.raises(RagliveError, match="BUDGET"):
        await reindex_all(wired(dsn, paid.url, **poor), ignore_progress)
    with pytest.raises(RagliveError, match="is being rebuilt with openai small"):
        await ingest(dsn, tmp_path, paid.url)
    with pytest.raises(ReindexRefused, match="--abort"):
        await reindex_all(wired(dsn, paid.url, EMBEDDING_MODEL="large"), ignore_progress)
    assert await abort_reindex(wired(dsn, None)) == NEXT
    assert await abort_reindex(wired(dsn, None)) is None
    made = await reindex_all(wired(dsn, paid.url, EMBEDDING_MODEL="large"), ignore_progress)
    assert (made.space.model, made.chunks) == ("large", 1)


async def test_every_process_knows_how_the_model_is_asked_or_what_to_change(
    dsn: str, database: Database, paid: Provider, tmp_path: Path
) -> None:
    await index_built_in(dsn, tmp_path, a=QUESTION)
    shorter = {"RAGLIVE_EMBEDDING_DIMENSIONS": "6"}
    poor = {"RAGLIVE_EMBEDDING_PRICE_PER_MILLION_TOKENS": "1", "RAGLIVE_EMBEDDING_BUDGET": "1e-9"}
    with pytest.raises(RagliveError, match="BUDGET"):
        await reindex_all(wired(dsn, paid.url, **shorter, **poor), ignore_progress)
    made = await reindex_all(
        wired(dsn, paid.url), ignore_progress
    )  # continues with the source it began with
    assert made.space == replace(NEXT, dimensions=6)

    assert await nearest(database, QUESTION) == QUESTION
    assert await nearest(database, QUESTION, EMBEDDING_BASE_URL=paid.url) == QUESTION
    await ingest(dsn, tmp_path, paid.url)
    with pytest.raises(RagliveError, match=f"Set EMBEDDING_BASE_URL={paid.url}") as wrong:
        await nearest(database, QUESTION, EMBEDDING_BASE_URL=f"{paid.url}/nowhere", **OPENAI)
    assert wrong.value.code == "embedding_model_changed"
    with pytest.raises(RagliveError, match="Set RAGLIVE_EMBEDDING_DIMENSIONS=6"):
        await ingest(dsn, tmp_path, paid.url, RAGLIVE_EMBEDDING_DIMENSIONS="7")
    nowhere = "http://127.0.0.1:1/v1"
    await database.execute("UPDATE raglive.embedding_models SET base_url = $1", nowhere)
    with pytest.raises(RagliveError, match="Set EMBEDDING_BASE_URL to an address") as away:
        await nearest(database, QUESTION)
    assert nowhere in away.value.message
    await database.execute("UPDATE raglive.embedding_models SET base_url = NULL")
    wanted = "Set EMBEDDING_PROVIDER=openai, EMBEDDING_MODEL=small, RAGLIVE_EMBEDDING_DIMENSIONS=6"
    with pytest.raises(RagliveError, match=wanted):
        await nearest(database, QUESTION)
