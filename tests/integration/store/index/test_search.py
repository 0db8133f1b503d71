"""Search by vectors, by words and by both, with and without the indexes that make it fast."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import asyncpg
import numpy as np
import pytest

from raglive.store.index import index_statistics, search, search_indexes
from raglive.store.index.documents import EmbeddedChunk
from raglive.store.index.search import NO_FILTER, ChunkSearch, Hit, SearchFilter
from raglive.store.index.search_indexes import SearchIndexes
from raglive.store.index.vector_cache import Vector
from raglive.store.index.vector_space import VectorSpace, require_space
from raglive.store.pool import Connection, Database
from raglive.store.registry.files import FileChanges, Registry
from raglive.store.registry.jobs import Jobs
from raglive.store.registry.pipelines import PipelineRecord
from raglive_contract.errors import RagliveError
from tests.conftest import VECTOR_SPACE
from tests.integration.store.files import DIMENSIONS, chunks, complete, enqueue, observed

pytestmark = pytest.mark.disagrees  # chunks are made by hand


def holding(text: str, *, page: int | None = None, index: int = 0) -> EmbeddedChunk:
    return replace(chunks(text, 1)[0], text=text, page=page, index=index)


async def index(pipeline: PipelineRecord, **files: str) -> None:
    """Index files of a chunk each; `_` in their names stands for a dot."""
    jobs = Jobs(pipeline, "worker", 60)
    for name, text in files.items():
        await enqueue(pipeline, name.replace("_", "."))
        (job,) = await jobs.claim(1)
        await complete(jobs, job, [holding(text, page=3)])


def names(hits: Sequence[Hit]) -> list[str]:
    return [hit.name for hit in hits]


async def by_words(database: Database, question: str, only: SearchFilter = NO_FILTER) -> list[str]:
    return names(await ChunkSearch(database).find(question, where=only))


def vector_of(text: str) -> Vector:
    return holding(text).embedding


async def test_chunks_with_all_words_come_first_then_those_with_rare_words(
    database: Database, pipeline: PipelineRecord
) -> None:
    common = {f"other{n}_txt": f"what is in the report number {n}" for n in range(30)}
    await index(
        pipeline,
        both_txt="The hotel limit: what is paid in Paris.",
        rare_txt="Paris has a tower.",
        none_txt="Nothing of that kind.",
        **common,
    )
    await SearchIndexes(database.dsn).maintain()
    found = await by_words(database, "what is the hotel limit in Paris?")
    assert found[:2] == ["both.txt", "rare.txt"]
    assert "none.txt" not in found
    assert await by_words(database, '"hotel limit"') == ["both.txt"]
    assert await by_words(database, "Paris -tower") == ["both.txt"]
    assert await by_words(database, "zebra") == []


@pytest.mark.parametrize("counted", [False, True])
@pytest.mark.parametrize(
    ("question", "best", "marked"),
    [
        ("What is the limit for hotels in Paris?", "limit.txt", {"limit", "hotels", "Paris"}),
        ("Was war der Grund für die Sperre?", "grund.txt", {"Grund", "Sperre"}),
        ("what was the war of Europe for", "war.txt", {"war", "Europe"}),
        ("to be or not to be", "hamlet.txt", {"To", "be", "or", "not", "to"}),
        ("the of in", "limit.txt", {"The", "of", "in"}),
        ("the OR grund", "grund.txt", {"Grund"}),
    ],
)
async def test_stop_words_of_a_question_are_neither_searched_nor_marked(
    database: Database,
    pipeline: PipelineRecord,
    question: str,
    best: str,
    marked: set[str],
    *,
    counted: bool,
) -> None:
    english = {
        f"en{n}_txt": f"What is the number of the report, and who is in it? {n}" for n in range(40)
    }
    german = {
        f"de{n}_txt": f"Was ist die Nummer, und wer war in der Sitzung {n}?" for n in range(40)
    }
    if not counted:
        english = german = {}
    await index(
        pipeline,
        limit_txt="The limit of 180 euros is for hotels in Paris.",
        grund_txt="Die Brücke: Grund der Sperre ist ein Riss.",
        war_txt="A war came over Europe.",
        hamlet_txt="To be, or not to be.",
        **english,
        **german,
    )
    await SearchIndexes(database.dsn).maintain()
    hit = (await ChunkSearch(database).find(question))[0]
    assert hit.name == best
    assert {hit.snippet[a:b] for a, b in hit.marks} == marked


@pytest.mark.parametrize("question", ["'", '"', "\\", "a & b | !c", "<->", "%s $1 {0}", "😀", ":*"])
async def test_no_question_breaks_the_search(
    database: Database, pipeline: PipelineRecord, question: str
) -> None:
    await index(pipeline, a_txt=f"It's a question {question} of b and c")
    hits = await ChunkSearch(database).find(question, vector=vector_of("x"))
    assert names(hits) == ["a.txt"]


async def test_hybrid_search_ranks_hits_of_both_rankings_first(
    database: Database, pipeline: PipelineRecord
) -> None:
    await index(pipeline, near_txt="salaries", both_txt="heat pumps", word_txt="pumps of oil")
    search = ChunkSearch(database)
    hits = await search.find("pumps", vector=vector_of("heat pumps"))
    assert hits[0].name == "both.txt"
    assert hits[0].matched == ("text", "vector")
    scores = [hit.score for hit in hits]
    assert scores == sorted(scores, reverse=True)
    assert 1 >= scores[0] > scores[-1] > 0
    assert hits[0].similarity == pytest.approx(1)
    nearest = await search.find("pumps", vector=vector_of("salaries"), full_text=False)
    assert names(nearest)[0] == "near.txt"
    assert nearest[0].score == nearest[0].similarity
    assert all(hit.similarity is None for hit in await search.find("pumps"))


async def test_a_hit_says_where_it_is_from_and_shows_the_words(
    database: Database, pipeline: PipelineRecord
) -> None:
    text = (
        " ".join(f"word{n}" for n in range(300)) + " The turbine hall smells of oil. " + "end " * 90
    )
    await index(pipeline, manual_pdf=text)
    [hit] = await ChunkSearch(database).find("turbine oil")
    assert (hit.file_id, hit.name, hit.page) == ("id of manual.pdf", "manual.pdf", 3)
    assert (hit.pipeline_id, hit.content) == ("local-files-pipeline", text)
    assert len(hit.snippet) < len(text) / 4
    assert [hit.snippet[a:b] for a, b in hit.marks] == ["turbine", "oil"]


async def test_a_search_is_limited_to_pipelines_types_and_times(
    database: Database, pipeline: PipelineRecord
) -> None:
    other = await PipelineRecord.register(database, "another", "local_files")
    await index(pipeline, a_md="apples", b_pdf="apples")
    await index(other, c_md="apples")
    assert await by_words(database, "apples", SearchFilter([pipeline.key])) == ["a.md", "b.pdf"]
    assert await by_words(database, "apples", SearchFilter([])) == []
    assert await by_words(database, "apples", SearchFilter(types=["md"])) == ["a.md", "c.md"]
    assert await by_words(database, "apples", SearchFilter(types=["PDF", ".txt"])) == ["b.pdf"]
    assert await by_words(database, "apples", SearchFilter(types=["text/*"])) == [
        "a.md",
        "b.pdf",
        "c.md",
    ]
    assert await by_words(database, "apples", SearchFilter(types=["%", "application/pdf"])) == []
    now = datetime.now(UTC)
    assert len(await by_words(database, "apples", SearchFilter(until=now))) == 3
    assert await by_words(database, "apples", SearchFilter(since=now + timedelta(hours=1))) == []
    kept = SearchFilter([pipeline.key], ["md"], now - timedelta(hours=1), now)
    hits = await ChunkSearch(database).find("apples", vector=vector_of("pears"), where=kept)
    assert names(hits) == ["a.md"]


async def test_an_index_does_not_change_during_a_search(
    database: Database, pipeline: PipelineRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    await index(pipeline, a_txt="heat pumps")
    other = await asyncpg.connect(database.dsn)

    async def change_meanwhile(connection: Connection, space: VectorSpace) -> None:
        await require_space(connection, space)
        await other.execute("SET lock_timeout = '50ms'")
        with pytest.raises(asyncpg.LockNotAvailableError):
            await other.execute("ALTER TABLE raglive.chunks RENAME COLUMN embedding TO old")

    monkeypatch.setattr(search, require_space.__name__, change_meanwhile)
    try:
        vector = vector_of("heat pumps")
        [hit] = await ChunkSearch(database).find("pumps", vector=vector, space=VECTOR_SPACE)
    finally:
        await other.close()
    assert hit.name == "a.txt"


async def valid_indexes(database: Database) -> set[str]:
    rows = await database.fetch(
        "SELECT indexrelid::regclass::text AS name FROM pg_index "
        "WHERE indrelid = 'raglive.chunks'::regclass AND indisvalid"
    )
    return {row["name"].removeprefix("raglive.") for row in rows} & {
        "chunks_by_vector",
        "chunks_by_words_simple",
        "chunks_by_words_english",
    }


async def test_the_vector_index_is_dropped_during_a_bulk_load_and_rebuilt(
    database: Database, pipeline: PipelineRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    indexes = SearchIndexes(database.dsn)
    await index(pipeline, a_txt="heat pumps", b_txt="salaries")
    await indexes.maintain()
    assert await valid_indexes(database) == {"chunks_by_words_simple"}  # too few to be worth it
    monkeypatch.setattr(index_statistics, "MIN_NUMBERS", DIMENSIONS)
    await indexes.maintain()
    assert await valid_indexes(database) == {"chunks_by_words_simple", "chunks_by_vector"}
    await Registry(pipeline).apply(FileChanges(new=[observed(f"{n}") for n in range(1100)]))
    await indexes.maintain()
    assert await valid_indexes(database) == {"chunks_by_words_simple"}
    hits = await ChunkSearch(database).find("", vector=vector_of("salaries"), full_text=False)
    assert names(hits)[0] == "b.txt"
    await SearchIndexes(database.dsn, config="english").maintain()
    assert await valid_indexes(database) == {"chunks_by_words_english"}


async def test_tables_filled_by_a_bulk_load_are_analyzed_before_autovacuum(
    database: Database,
) -> None:
    await database.execute("ALTER TABLE raglive.revocations SET (autovacuum_enabled = off)")
    fill = (
        "INSERT INTO raglive.revocations (subject, revoked_by, reason) "
        "SELECT n, 'admin', repeat('x', 1000) FROM generate_series(1, $1::integer) AS n"
    )
    count = "SELECT reltuples::integer FROM pg_class WHERE oid = 'raglive.revocations'::regclass"
    counted = []
    for more in (100, 6_000, 7_000, 6_000):
        await database.execute(fill, more)
        await SearchIndexes(database.dsn).maintain()
        counted.append(await database.fetchval(count))
    assert counted == [-1, 6_100, 13_100, 13_100]  # too few, many, more than twice as many, not so


async def test_an_unfinished_index_is_built_again(
    database: Database, pipeline: PipelineRecord
) -> None:
    await index(pipeline, a_txt="heat pumps", b_txt="salaries")
    with pytest.raises(asyncpg.UniqueViolationError):
        await database.execute(
            "CREATE UNIQUE INDEX CONCURRENTLY chunks_by_words_simple "
            "ON raglive.chunks (start_offset)"
        )
    await SearchIndexes(database.dsn).maintain()
    assert await valid_indexes(database) == {"chunks_by_words_simple"}
    assert await by_words(database, "pumps") == ["a.txt"]


async def test_only_one_process_builds_at_a_time(
    database: Database, pipeline: PipelineRecord
) -> None:
    await index(pipeline, a_txt="heat pumps")
    other = await asyncpg.connect(database.dsn)
    try:
        assert await other.fetchval(search_indexes._QUERIES["lock"])
        await SearchIndexes(database.dsn).maintain()
        assert await valid_indexes(database) == set()
    finally:
        await other.close()
    await SearchIndexes(database.dsn).maintain()
    assert await valid_indexes(database) == {"chunks_by_words_simple"}


async def test_a_filtered_search_with_the_vector_index_misses_nothing(
    database: Database, pipeline: PipelineRecord, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The few chunks asked for are the farthest from the question among thousands."""
    monkeypatch.setattr(index_statistics, "MIN_NUMBERS", DIMENSIONS)
    jobs = Jobs(pipeline, "worker", 60)
    await enqueue(pipeline, "many.txt", "few.md")
    made = np.random.default_rng(1)
    near = made.standard_normal((3000, DIMENSIONS)).astype(np.float32) + 2
    far = made.standard_normal((20, DIMENSIONS)).astype(np.float32) - 2
    for job in await jobs.claim(2):
        rows = near if job.name == "many.txt" else far
        stored = [
            replace(holding(f"{job.name} {n}", index=n), embedding=v) for n, v in enumerate(rows)
        ]
        await complete(jobs, job, stored)
    await database.execute("ANALYZE raglive.chunks")
    await SearchIndexes(database.dsn).maintain()
    assert "chunks_by_vector" in await valid_indexes(database)
    question = np.full(DIMENSIONS, 1, np.float32)
    search = ChunkSearch(database)
    found = await search.find("", vector=question, full_text=False, limit=10)
    exact = np.argsort(-(near @ question) / np.linalg.norm(near, axis=1))[:10]
    assert [hit.chunk_index for hit in found] == [int(n) for n in exact]
    only = SearchFilter(types=["md"])
    few = await search.find("", vector=question, full_text=False, where=only, limit=30)
    assert sorted(hit.chunk_index for hit in few) == list(range(20))
    matches = "SELECT id FROM match_documents($1, $2, $3)"
    assert len(await database.fetch(matches, question, 500, {})) == 500
    filtered = await database.fetch(matches, question, 30, {"file_title": "few.md"})
    assert len(filtered) == 20


async def test_an_unknown_text_search_configuration_is_named(
    database: Database, pipeline: PipelineRecord
) -> None:
    await index(pipeline, a_txt="heat pumps")
    for attempt in (
        ChunkSearch(database, config="klingon").find("pumps"),
        SearchIndexes(database.dsn, config="klingon").maintain(),
    ):
        with pytest.raises(RagliveError, match="RAGLIVE_TEXT_SEARCH_CONFIG"):
            await attempt
