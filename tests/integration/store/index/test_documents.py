from __future__ import annotations

import asyncio
from contextlib import suppress

import numpy as np
import pytest

from raglive.store.index.documents import replace_document
from raglive.store.index.search import ChunkSearch
from raglive.store.index.vector_cache import Vector, VectorCache
from raglive.store.index.vector_space import choose_vector_space
from raglive.store.pool import Database
from raglive.store.registry.files import FileChanges, Registry
from raglive.store.registry.jobs import Jobs
from raglive.store.registry.pipelines import PipelineRecord
from tests.conftest import VECTOR_SPACE
from tests.integration.store.files import COMPLETED, chunks, complete, enqueue, known, observed


async def process(pipeline: PipelineRecord, text: str, count: int = 2) -> None:
    """Index the text as the next due file's."""
    jobs = Jobs(pipeline, "worker", 60)
    (job,) = await jobs.claim(1)
    await complete(jobs, job, chunks(text, count))


async def nearest(database: Database, vector: Vector) -> list[str]:
    hits = await ChunkSearch(database).find("", vector=vector, full_text=False)
    return [hit.content for hit in hits]


async def edit(pipeline: PipelineRecord, name: str, version: int) -> None:
    changed = [(await known(pipeline, name), observed(name, version))]
    await Registry(pipeline).apply(FileChanges(changed=changed))


@pytest.mark.disagrees
async def test_a_search_sees_the_old_text_or_the_new_and_never_both(
    database: Database, pipeline: PipelineRecord
) -> None:
    await enqueue(pipeline, "a")
    await process(pipeline, "text 0", 3)
    replaced = asyncio.Event()
    query = chunks("text 0")[0].embedding
    seen: set[frozenset[str]] = set()

    async def replace() -> None:
        for version in range(1, 31):
            await edit(pipeline, "a", version)
            await process(pipeline, f"text {version}", 3 + version % 2)
        replaced.set()

    async def search() -> None:
        while not replaced.is_set():
            seen.add(frozenset(await nearest(database, query)))

    async with asyncio.timeout(60), asyncio.TaskGroup() as tasks:
        tasks.create_task(replace())
        for _ in range(2):
            tasks.create_task(search())
    whole = {
        frozenset(chunk.text for chunk in chunks(f"text {version}", 3 + version % 2))
        for version in range(31)
    } | {frozenset(chunk.text for chunk in chunks("text 0", 3))}
    assert seen <= whole
    assert len(seen) > 3


async def test_an_interrupted_attempt_keeps_the_old_text(
    database: Database, pipeline: PipelineRecord
) -> None:
    await enqueue(pipeline, "a")
    await process(pipeline, "old")
    await edit(pipeline, "a", 2)
    jobs = Jobs(pipeline, "worker", 60)
    (job,) = await jobs.claim(1)
    with suppress(ZeroDivisionError):
        async with jobs.ending(job, COMPLETED) as connection:
            await replace_document(connection, job.file_key, chunks("new"))
            _ = 1 / 0
    assert set(await nearest(database, chunks("new")[0].embedding)) == {"old 0", "old 1"}


async def test_a_deleted_file_is_no_longer_found(
    database: Database, pipeline: PipelineRecord
) -> None:
    await enqueue(pipeline, "a")
    await process(pipeline, "gone")
    await Registry(pipeline).apply(FileChanges(gone=[await known(pipeline, "a")]))
    assert await nearest(database, chunks("gone")[0].embedding) == []


async def test_known_text_is_not_embedded_again(
    database: Database, pipeline: PipelineRecord
) -> None:
    await enqueue(pipeline, "a")
    stored = chunks("stored")
    await process(pipeline, "stored")
    unknown = chunks("unknown")[0].content_hash
    space = await choose_vector_space(database, VECTOR_SPACE)
    found = await VectorCache(database, space).find([stored[0].content_hash, unknown])
    assert found.keys() == {stored[0].content_hash}
    assert np.array_equal(found[stored[0].content_hash], stored[0].embedding)


async def test_rows_of_a_table_are_replaced_with_its_text(
    database: Database, pipeline: PipelineRecord
) -> None:
    await enqueue(pipeline, "table.csv")
    jobs = Jobs(pipeline, "worker", 60)
    (job,) = await jobs.claim(1)
    rows = [("sheet", n, {"n": n, "name": "ü"}) for n in range(3)]
    async with jobs.ending(job, COMPLETED) as connection:
        await replace_document(connection, job.file_key, chunks("x"), rows)
    query = "SELECT dataset_id, row_data FROM document_rows ORDER BY id"
    kept = [tuple(row) for row in await database.fetch(query)]
    assert kept == [("id of table.csv", data) for _, _, data in rows]
    await edit(pipeline, "table.csv", 2)
    await process(pipeline, "no table any more")
    assert await database.fetch(query) == []


@pytest.mark.disagrees
async def test_the_old_names_are_read_as_before(
    database: Database, pipeline: PipelineRecord
) -> None:
    await pipeline.announce_online(60, "/watched")
    await enqueue(pipeline, "a.txt")
    await process(pipeline, "heat pumps", 1)
    (document,) = await database.fetch("SELECT * FROM documents")
    assert document["content"] == "heat pumps 0"
    assert document["metadata"] == {
        "file_id": "id of a.txt",
        "file_url": "",
        "file_title": "a.txt",
        "mime_type": "text/plain",
        "chunk_index": 0,
        "source": "local_files",
        "pipeline_id": "local-files-pipeline",
    }
    query = chunks("heat pumps")[0].embedding
    (match,) = await database.fetch("SELECT * FROM match_documents($1, 5)", query)
    assert list(match.keys()) == ["id", "content", "metadata", "similarity"]
    assert match["similarity"] > 0.99
    filtered = "SELECT * FROM match_documents($1, 5, $2)"
    assert len(await database.fetch(filtered, query, {"file_id": "id of a.txt"})) == 1
    assert await database.fetch(filtered, query, {"file_id": "another"}) == []
    (metadata,) = await database.fetch("SELECT id, title, url FROM document_metadata")
    assert tuple(metadata) == ("id of a.txt", "a.txt", None)
    (state,) = await database.fetch("SELECT * FROM rag_pipeline_state")
    assert (state["pipeline_id"], state["server_status"]) == ("local-files-pipeline", "online")
    assert list(state["known_files"]) == ["id of a.txt"]
    assert state["status_details"]["total_processed"] == 1
