from __future__ import annotations

import asyncio
from dataclasses import replace

import asyncpg
import pytest

from raglive.database.pool import Database
from raglive.database.schema_errors import MigrationError
from raglive.database.vector_space import (
    EmbeddingModelChanged,
    VectorSpace,
    active_vector_space,
    choose_vector_space,
)

SPACE = VectorSpace("openai", "text-embedding-3-small", 1536)


async def test_the_space_that_was_chosen_may_be_chosen_again(database: Database) -> None:
    assert await active_vector_space(database) is None
    await choose_vector_space(database, SPACE)
    await choose_vector_space(database, SPACE)
    assert await active_vector_space(database) == SPACE


@pytest.mark.parametrize(
    "other",
    [
        replace(SPACE, provider="builtin"),
        replace(SPACE, model="text-embedding-3-large"),
        replace(SPACE, dimensions=256),
    ],
)
async def test_another_model_is_refused_with_what_to_do(
    database: Database, other: VectorSpace
) -> None:
    await choose_vector_space(database, SPACE)
    with pytest.raises(EmbeddingModelChanged, match="cannot be compared") as refused:
        await choose_vector_space(database, other)
    for word in (SPACE.model, other.model, other.provider, "EMBEDDING_MODEL", "raglive reindex"):
        assert word in refused.value.message
    assert await active_vector_space(database) == SPACE


async def test_of_two_models_at_once_one_is_refused(database: Database) -> None:
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
async def test_what_has_the_names_that_agents_read_is_left_alone(
    database: Database, made: str
) -> None:
    await database.execute(made)
    with pytest.raises(MigrationError, match="is in the way"):
        await choose_vector_space(database, SPACE)
    assert await active_vector_space(database) is None
