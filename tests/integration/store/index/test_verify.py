"""`raglive verify`: every check finds its kind of disagreement."""

from __future__ import annotations

import pytest

from raglive.store.index import verify
from raglive.store.index.verify import find_disagreements
from raglive.store.pool import Database
from raglive.store.registry.jobs import Jobs
from raglive.store.registry.pipelines import PipelineRecord
from raglive.store.sql import load_queries
from tests.integration.store.files import chunks, complete, enqueue, failed

pytestmark = pytest.mark.disagrees

A, B = (f"(SELECT file_key FROM raglive.files WHERE name = '{name}')" for name in "ab")
NEXT = (
    "INSERT INTO raglive.embedding_models (provider, model, dimensions, active, next)"
    " VALUES ('openai', 'small', 8, false, true)"
)
TYPED = "ALTER TABLE raglive.chunks ALTER COLUMN next_embedding TYPE vector(8)"
ONES = "array_fill(1, '{8}')::vector"
DRAFT = "INSERT INTO raglive.drafts (file_key, generation, content) VALUES"
UNBOUND = "ALTER TABLE raglive.chunks DROP CONSTRAINT chunks_file_key_fkey"
LAST = "seq = (SELECT max(seq) FROM raglive.events)"

# Statements that cause each disagreement. Of the files, a is completed with two chunks, b has
# failed for good, and c is queued.
BREAKS = {
    "counts_differ": ["UPDATE raglive.heads SET completed = completed + 1"],
    "log_has_gaps": ["DELETE FROM raglive.events WHERE seq = 2"],
    "digest_differs": ["UPDATE raglive.heads SET digest = sha256('x')"],
    "completed_without_its_chunks": [f"DELETE FROM raglive.chunks WHERE file_key = {A}"],
    "chunks_of_no_document": [f"UPDATE raglive.chunks SET file_key = {B} WHERE file_key = {A}"],
    "chunks_with_gaps": ["UPDATE raglive.chunks SET chunk_index = 7 WHERE chunk_index = 1"],
    "state_differs_from_log": ["UPDATE raglive.files SET state = 'completed' WHERE name = 'b'"],
    "attempts_left_running": [
        f"UPDATE raglive.attempts SET outcome = 'running', finished_at = NULL WHERE file_key = {A}"
    ],
    "chunks_of_other_text": ["UPDATE raglive.chunks SET content = 'other'"],
    "vectors_without_direction": [
        "UPDATE raglive.chunks SET embedding = array_fill(0, '{256}')::vector"
    ],
    "vectors_of_no_model": ["DELETE FROM raglive.embedding_models"],
    "columns_of_other_dimensions": ["UPDATE raglive.embedding_models SET dimensions = 8"],
    "chunks_without_vector": [
        "ALTER TABLE raglive.chunks ALTER COLUMN embedding DROP NOT NULL",
        "UPDATE raglive.chunks SET embedding = NULL",
    ],
    "next_vectors_of_nothing": [NEXT, TYPED, f"UPDATE raglive.chunks SET next_embedding = {ONES}"],
    "cached_vectors_of_other_dimensions": [
        "INSERT INTO raglive.cached_vectors (model_key, content_hash, embedding)"
        f" SELECT model_key, sha256('x'), {ONES} FROM raglive.embedding_models"
    ],
    "queued_for_ever": ["UPDATE raglive.files SET next_attempt_at = NULL WHERE name = 'c'"],
    "in_progress_for_nobody": ["UPDATE raglive.files SET state = 'processing' WHERE name = 'c'"],
    "version_done_twice": [
        "UPDATE raglive.events SET type = 'file:completed', file_id = 'id of a'"
    ],
    "draft_left_over": [f"{DRAFT} ({A}, 1, 'x')"],
    "draft_of_no_version": [f"{DRAFT} ({B}, 9, 'x')"],
    "rows_of_nothing": [UNBOUND, "UPDATE raglive.chunks SET file_key = 0"],
    "state_not_in_log": [
        "INSERT INTO raglive.files (pipeline_key, file_id, name, state)"
        " SELECT pipeline_key, 'd', 'd', 'completed' FROM raglive.pipelines"
    ],
    "event_of_another_file": [f"UPDATE raglive.events SET file_id = 'x' WHERE {LAST}"],
    "totals_differ": ["UPDATE raglive.heads SET total_failed = 7"],
    "status_differs_from_log": [
        "UPDATE raglive.pipelines SET is_managed = true",
        "UPDATE raglive.heads SET status = 'online'",
    ],
    "problem_differs_from_log": ["""UPDATE raglive.heads SET problem = '{"code": "x"}'"""],
    "older_version_done": ["UPDATE raglive.files SET desired_generation = 2 WHERE name = 'a'"],
    "ended_otherwise": [f"DELETE FROM raglive.attempts WHERE file_key = {A}"],
    "rows_of_no_document": [
        f"INSERT INTO raglive.dataset_rows (file_key, row_index, row_data) VALUES ({B}, 0, '{{}}')"
    ],
    "rows_with_gaps": [
        f"INSERT INTO raglive.dataset_rows (file_key, row_index, row_data) VALUES ({A}, 1, '{{}}')"
    ],
    "nothing_to_match_with": ["DROP FUNCTION public.match_documents"],
}

# Other disagreements that the same checks find.
MORE = [
    ("log_has_gaps", ["UPDATE raglive.heads SET seq = seq + 1"]),
    ("log_has_gaps", ["UPDATE raglive.heads SET seq = seq - 1"]),
    ("digest_differs", ["UPDATE raglive.events SET id = raglive.uuid7() WHERE seq = 2"]),
    ("state_differs_from_log", ["DELETE FROM raglive.events WHERE type = 'file:completed'"]),
    ("chunks_of_no_document", ["UPDATE raglive.files SET state = 'deleted' WHERE name = 'a'"]),
    ("next_vectors_of_nothing", ["UPDATE raglive.chunks SET next_embedding = embedding"]),
    ("columns_of_other_dimensions", [TYPED]),
    ("columns_of_other_dimensions", ["DROP VIEW public.documents"]),
    ("columns_of_other_dimensions", [NEXT]),
    ("draft_left_over", [f"{DRAFT} ({A}, 1, 'x')", "UPDATE raglive.files SET state = 'deleted'"]),
    ("rows_of_nothing", ["DELETE FROM raglive.heads"]),
    ("totals_differ", ["UPDATE raglive.heads SET total_processed = 0"]),
    ("ended_otherwise", [f"UPDATE raglive.attempts SET outcome = 'lost' WHERE file_key = {A}"]),
]


@pytest.fixture
async def sound(database: Database, pipeline: PipelineRecord) -> Database:
    await enqueue(pipeline, "a", "b", "c")
    jobs = Jobs(pipeline, "worker", 60)
    done, broken = await jobs.claim(2)
    await complete(jobs, done, chunks("text"))
    async with jobs.ending(broken, failed()):
        pass
    assert await find_disagreements(database) == []
    return database


@pytest.mark.parametrize(("check", "broken_by"), [*BREAKS.items(), *MORE])
async def test_what_is_broken_is_named(sound: Database, check: str, broken_by: list[str]) -> None:
    for statement in broken_by:
        await sound.execute(statement)
    found = {one.code: one for one in await find_disagreements(sound)}
    assert check in found
    assert found[check].message
    assert found[check].action


def test_every_check_has_a_case() -> None:
    assert set(BREAKS) == set(load_queries(verify.__name__))
