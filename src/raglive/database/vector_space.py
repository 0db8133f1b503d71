"""The one space that all vectors of the index lie in: of which model, with how many dimensions."""

from __future__ import annotations

from dataclasses import dataclass

from raglive.contract.errors import RagliveError
from raglive.database.pool import Connection, Database
from raglive.database.schema_errors import schema_errors_explained
from raglive.database.sql import load_queries

__all__ = [
    "EmbeddingModelChanged",
    "VectorSpace",
    "active_vector_space",
    "choose_vector_space",
    "require_vector_space",
]

_DOCUMENTS = load_queries("documents")
_SPACE = load_queries("vector_space")


class EmbeddingModelChanged(RagliveError):
    """The index was made with another embedding model than the one configured."""

    code = "embedding_model_changed"


@dataclass(frozen=True, slots=True)
class VectorSpace:
    """What makes two vectors comparable."""

    provider: str
    model: str
    dimensions: int


async def active_vector_space(database: Database) -> VectorSpace | None:
    """Return the space of the index; None while it is new."""
    row = await database.fetchrow(_DOCUMENTS["active_model"])
    return None if row is None else VectorSpace(**dict(row))


async def choose_vector_space(database: Database, wanted: VectorSpace) -> None:
    """Make the index one of `wanted` vectors, if it is new.

    Raises `EmbeddingModelChanged` when it already is one of others, and `MigrationError` when
    what is not raglive's has the name `documents` or `match_documents`.
    """
    async with database.transaction() as connection:
        await connection.execute(_DOCUMENTS["lock_models"])
        row = await connection.fetchrow(_DOCUMENTS["active_model"])
        if row is None:
            await _make(connection, wanted)
            return
    require_vector_space(VectorSpace(**dict(row)), wanted)


def require_vector_space(active: VectorSpace, wanted: VectorSpace) -> None:
    """Raise `EmbeddingModelChanged` when vectors of the two cannot be compared."""
    if active != wanted:
        raise EmbeddingModelChanged(
            f"The index holds vectors of {active.provider} {active.model}, "
            f"{active.dimensions} dimensions, which cannot be compared with those of "
            f"{wanted.provider} {wanted.model}, as configured. Set EMBEDDING_PROVIDER, "
            "EMBEDDING_MODEL and RAGLIVE_EMBEDDING_DIMENSIONS back, or use a new database."
        )


async def _make(connection: Connection, space: VectorSpace) -> None:
    with schema_errors_explained():
        await connection.execute(_SPACE["type_embeddings"].format(dimensions=space.dimensions))
    await connection.execute(_DOCUMENTS["add_model"], space.provider, space.model, space.dimensions)
