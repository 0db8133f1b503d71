"""The one space that all vectors of the index lie in: of which model, with how many dimensions."""

from __future__ import annotations

from dataclasses import dataclass

import asyncpg

from raglive.contract.errors import RagliveError
from raglive.database.pool import Connection, Database
from raglive.database.schema_errors import schema_errors_explained
from raglive.database.sql import load_queries

__all__ = [
    "ChosenSpace",
    "EmbeddingModelChanged",
    "VectorSpace",
    "active_vector_space",
    "choose_vector_space",
    "lock_models",
    "read_space",
    "require_space",
]

_QUERIES = load_queries("vector_space")


class EmbeddingModelChanged(RagliveError):
    """The index holds vectors of another embedding model than the one configured."""

    code = "embedding_model_changed"


@dataclass(frozen=True, slots=True)
class VectorSpace:
    """What makes two vectors comparable."""

    provider: str
    model: str
    dimensions: int

    def __str__(self) -> str:
        return f"{self.provider} {self.model}, {self.dimensions} dimensions"


@dataclass(frozen=True, slots=True)
class ChosenSpace:
    """The space that a process makes vectors in, and the key of its model in the database."""

    key: int
    space: VectorSpace

    async def hold(self, connection: Connection) -> None:
        """Keep the index in this space until the transaction ends.

        Raises `EmbeddingModelChanged` when it has left it.
        """
        if not await connection.fetchval(_QUERIES["hold"], self.key):
            raise EmbeddingModelChanged("The index was made anew with another model meanwhile.")

    async def successor(self, database: Database) -> VectorSpace | None:
        """Return the space that the index has been made anew in; None while it is in this one."""
        row = await database.fetchrow(_QUERIES["active_model"])
        return None if row is None or row["model_key"] == self.key else _space(row)


async def active_vector_space(database: Database) -> VectorSpace | None:
    """Return the space of the index; None while it is new."""
    row = await database.fetchrow(_QUERIES["active_model"])
    return None if row is None else _space(row)


async def choose_vector_space(database: Database, wanted: VectorSpace) -> ChosenSpace:
    """Make the index one of `wanted` vectors, if it is new.

    Raises `EmbeddingModelChanged` when it already is one of others, and `MigrationError` when
    what is not raglive's has the name `documents` or `match_documents`.
    """
    async with database.transaction() as connection:
        await lock_models(connection)
        active = await read_space(connection, "active_model")
        if active is None:
            return ChosenSpace(await _make(connection, wanted), wanted)
        if active.space != wanted:
            is_next = await read_space(connection, "next_model")
            raise _changed(active.space, wanted, is_next is not None and is_next.space == wanted)
        return active


async def lock_models(connection: Connection | asyncpg.Connection) -> None:
    """Let nobody else choose a model until the transaction ends."""
    await connection.execute(_QUERIES["lock_models"])


async def read_space(connection: Connection | asyncpg.Connection, which: str) -> ChosenSpace | None:
    """Return the space of the `active_model` or of the `next_model`; None if there is none."""
    row = await connection.fetchrow(_QUERIES[which])
    return None if row is None else ChosenSpace(row["model_key"], _space(row))


async def require_space(connection: Connection, space: VectorSpace) -> None:
    """Raise `EmbeddingModelChanged` unless the index is in this space, as the transaction sees."""
    active = await read_space(connection, "active_model")
    if active is None or active.space != space:
        raise EmbeddingModelChanged("The index was made anew with another model meanwhile.")


def _space(row: asyncpg.Record) -> VectorSpace:
    return VectorSpace(row["provider"], row["model"], row["dimensions"])


def _changed(active: VectorSpace, wanted: VectorSpace, is_under_way: bool) -> EmbeddingModelChanged:
    if is_under_way:
        return EmbeddingModelChanged(
            f"The index is being made anew with {wanted}, and is of {active} until then. "
            "Start again when `raglive reindex` has ended; if it does not run, run it: "
            "it goes on where it was."
        )
    return EmbeddingModelChanged(
        f"The index holds vectors of {active}, which cannot be compared with those of "
        f"{wanted}, as configured. Run `raglive reindex` with these settings to make the index "
        "anew, searchable throughout; or set EMBEDDING_PROVIDER, EMBEDDING_MODEL and "
        "RAGLIVE_EMBEDDING_DIMENSIONS back."
    )


async def _make(connection: Connection, space: VectorSpace) -> int:
    with schema_errors_explained():
        await connection.execute(_QUERIES["type_embeddings"].format(dimensions=space.dimensions))
        await connection.execute(_QUERIES["make_documents"])
        await connection.execute(_QUERIES["make_match"].format(dimensions=space.dimensions))
    key: int = await connection.fetchval(
        _QUERIES["add_model"], space.provider, space.model, space.dimensions
    )
    return key
