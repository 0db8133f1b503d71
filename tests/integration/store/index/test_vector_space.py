from __future__ import annotations

import asyncio
from dataclasses import replace

import asyncpg
import pytest

from raglive.store.index.model_source import DEFAULT_SOURCE, ModelSource
from raglive.store.index.vector_space import (
    ChosenSpace,
    EmbeddingModelChanged,
    VectorSpace,
    active_model,
    active_vector_space,
    choose_vector_space,
)
from raglive.store.migrate import MigrationError
from raglive.store.pool import Database

SPACE = VectorSpace("openai", "text-embedding-3-small", 1536)
SOURCE = ModelSource("http://127.0.0.1:4000/v1")


async def test_the_chosen_space_may_be_chosen_again(database: Database) -> None:
    assert await active_vector_space(database) is None
    await choose_vector_space(database, SPACE)
    await choose_vector_space(database, SPACE)
    assert await active_vector_space(database) == SPACE


@pytest.mark.parametrize(
    ("other", "source", "change"),
    [
        (
            replace(SPACE, provider="builtin"),
            DEFAULT_SOURCE,
            "Set EMBEDDING_PROVIDER=openai, EMBEDDING_MODEL=text-embedding-3-small, "
            "EMBEDDING_BASE_URL=http://127.0.0.1:4000/v1 and EMBEDDING_API_KEY if",
        ),
        (
            replace(SPACE, model="text-embedding-3-large"),
            ModelSource("http://user:secret@127.0.0.1:4000/v1", 1536),
            "Set EMBEDDING_MODEL=text-embedding-3-small, and unset RAGLIVE_EMBEDDING_DIMENSIONS.",
        ),
        (
            replace(SPACE, dimensions=256),
            ModelSource("http://127.0.0.1:4000/v1", 256),
            "Unset RAGLIVE_EMBEDDING_DIMENSIONS.",
        ),
        (replace(SPACE, dimensions=256), SOURCE, "Set RAGLIVE_EMBEDDING_DIMENSIONS=1536."),
    ],
)
async def test_another_model_is_refused_with_what_to_do(
    database: Database, other: VectorSpace, source: ModelSource, change: str
) -> None:
    chosen = await choose_vector_space(database, SPACE, SOURCE)
    with pytest.raises(EmbeddingModelChanged, match="cannot be compared") as refused:
        await choose_vector_space(database, other, source)
    for part in (SPACE.model, other.model, other.provider, change, "raglive reindex"):
        assert part in refused.value.message
    assert await active_vector_space(database) == SPACE
    assert await chosen.successor(database) is None
    was = ChosenSpace(0, other, source)
    successor = await was.successor(database)
    assert successor is not None
    assert change.removesuffix(".") in successor.change_from(was)


async def test_the_source_of_a_model_is_stored_without_secrets(database: Database) -> None:
    await choose_vector_space(database, SPACE)
    await choose_vector_space(
        database, SPACE, ModelSource("https://me:secret@host:1/v1?key=x", 1536)
    )
    active = await active_model(database)
    assert active is not None
    assert active.source == ModelSource("https://host:1/v1", 1536)


async def test_one_of_two_concurrent_models_is_refused(database: Database) -> None:
    other = replace(SPACE, provider="builtin", dimensions=256)
    chosen = await asyncio.gather(
        *(choose_vector_space(database, space) for space in (SPACE, other, SPACE, other)),
        return_exceptions=True,
    )
    assert sum(isinstance(it, EmbeddingModelChanged) for it in chosen) == 2


async def test_a_vector_of_another_length_cannot_be_stored(database: Database) -> None:
    await choose_vector_space(database, replace(SPACE, dimensions=3))
    await database.fetchval("SELECT raglive.pipeline_key('p', 's3')")
    file_key = await database.fetchval(
        "INSERT INTO raglive.files (pipeline_key, file_id, name, state)"
        " SELECT pipeline_key, 'f', 'f', 'queued' FROM raglive.pipelines RETURNING file_key"
    )
    with pytest.raises(asyncpg.DataError, match="expected 3 dimensions, not 4"):
        await database.execute(
            "INSERT INTO raglive.chunks (file_key, chunk_index, content, content_hash,"
            " start_offset, end_offset, embedding)"
            " VALUES ($1, 0, 'x', sha256('x'), 0, 1, '[1,2,3,4]')",
            file_key,
        )


@pytest.mark.parametrize(
    "made",
    [
        "CREATE TABLE public.documents (mine integer)",
        "CREATE FUNCTION public.match_documents(vector(1536), integer, jsonb) RETURNS integer"
        " RETURN 1",
    ],
)
async def test_existing_objects_with_the_agents_names_are_not_replaced(
    database: Database, made: str
) -> None:
    await database.execute(made)
    with pytest.raises(MigrationError, match="is in the way"):
        await choose_vector_space(database, SPACE)
    assert await active_vector_space(database) is None
