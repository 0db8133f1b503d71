"""The vector space of the index: the model and the dimensions that make its vectors comparable."""

from __future__ import annotations

from dataclasses import dataclass, replace

import asyncpg

from raglive.store.errors import place_of
from raglive.store.index.model_source import (
    DEFAULT_SOURCE,
    ModelSource,
    Values,
    embedding_settings,
    settings_advice,
)
from raglive.store.migrate import explain_schema_errors
from raglive.store.pool import Connection, Database
from raglive.store.sql import load_queries
from raglive_contract.errors import ErrorCode, RagliveError

__all__ = [
    "ChosenSpace",
    "EmbeddingModelChanged",
    "VectorSpace",
    "active_model",
    "active_vector_space",
    "choose_vector_space",
    "create_documents_view",
    "lock_models",
    "read_space",
    "require_space",
    "save_source",
]

_QUERIES = load_queries(__name__)


class EmbeddingModelChanged(RagliveError):
    """The index holds vectors of another embedding model than the configured one."""

    code = ErrorCode.EMBEDDING_MODEL_CHANGED


@dataclass(frozen=True, slots=True)
class VectorSpace:
    """A model and its number of dimensions; vectors of one space can be compared."""

    provider: str
    model: str
    dimensions: int

    def __str__(self) -> str:
        return f"{self.provider} {self.model}, {self.dimensions} dimensions"


@dataclass(frozen=True, slots=True)
class ChosenSpace:
    """The space in which a process makes vectors, with the key of its model in the database."""

    key: int
    space: VectorSpace
    source: ModelSource = DEFAULT_SOURCE

    def settings(self) -> Values:
        """Return the settings of a process that embeds in this space."""
        return embedding_settings(self.space.provider, self.space.model, self.source)

    def change_from(self, own: ChosenSpace) -> str:
        """Return which settings to change so that a process leaves its `own` space for this one."""
        dimensions = f"Set RAGLIVE_EMBEDDING_DIMENSIONS={self.space.dimensions}"
        return settings_advice(self.settings(), own.settings()) or dimensions

    async def hold(self, connection: Connection) -> None:
        """Keep this space active until the transaction ends.

        Raises `EmbeddingModelChanged` if another one is active.
        """
        if not await connection.fetchval(_QUERIES["hold"], self.key):
            raise EmbeddingModelChanged("The index was rebuilt with another model meanwhile.")

    async def successor(self, database: Database) -> ChosenSpace | None:
        """Return the space that has replaced this one; None while this one is active."""
        row = await database.fetchrow(_QUERIES["active_model"])
        return None if row is None or row["model_key"] == self.key else _chosen(row)


async def active_model(database: Database) -> ChosenSpace | None:
    """Return the space of the index with its source; None before the first model is chosen."""
    row = await database.fetchrow(_QUERIES["active_model"])
    return None if row is None else _chosen(row)


async def active_vector_space(database: Database) -> VectorSpace | None:
    """Return the space of the index; None before the first model is chosen."""
    active = await active_model(database)
    return None if active is None else active.space


async def choose_vector_space(
    database: Database, wanted: VectorSpace, source: ModelSource = DEFAULT_SOURCE
) -> ChosenSpace:
    """Choose the space of a new index, or check that it is the chosen one; save the source.

    Raises `EmbeddingModelChanged` if the index is in another space, and `MigrationError` if
    something that is not raglive's has the name `documents` or `match_documents`.
    """
    async with database.transaction() as connection:
        await lock_models(connection)
        active = await read_space(connection, "active_model")
        chosen = ChosenSpace(0, wanted, source)
        if active is None:
            with explain_schema_errors(place_of(database.dsn)):
                chosen = replace(chosen, key=await _create(connection, wanted))
        elif active.space == wanted:
            chosen = replace(chosen, key=active.key)
        else:
            following = await read_space(connection, "next_model")
            in_progress = following is not None and following.space == wanted
            raise _changed(active, chosen, reindexing_in_progress=in_progress)
        await save_source(connection, chosen)
        return chosen


async def save_source(connection: Connection | asyncpg.Connection, chosen: ChosenSpace) -> None:
    """Save how vectors of a space are requested, without secrets."""
    source = chosen.source.storable()
    query = _QUERIES["save_source"]
    await connection.execute(query, chosen.key, source.base_url, source.asked_dimensions)


async def lock_models(connection: Connection | asyncpg.Connection) -> None:
    """Keep other processes from choosing a model until the transaction ends."""
    await connection.execute(_QUERIES["lock_models"])


async def read_space(connection: Connection | asyncpg.Connection, which: str) -> ChosenSpace | None:
    """Return the space of the `active_model` or the `next_model`; None if there is none."""
    row = await connection.fetchrow(_QUERIES[which])
    return None if row is None else _chosen(row)


async def require_space(connection: Connection, space: VectorSpace) -> None:
    """Raise `EmbeddingModelChanged` unless the transaction sees this space as the active one."""
    active = await read_space(connection, "active_model")
    if active is None or active.space != space:
        raise EmbeddingModelChanged("The index was rebuilt with another model meanwhile.")


def _chosen(row: asyncpg.Record) -> ChosenSpace:
    space = VectorSpace(row["provider"], row["model"], row["dimensions"])
    return ChosenSpace(
        row["model_key"], space, ModelSource(row["base_url"], row["asked_dimensions"])
    )


def _changed(
    active: ChosenSpace, wanted: ChosenSpace, *, reindexing_in_progress: bool
) -> EmbeddingModelChanged:
    if reindexing_in_progress:
        return EmbeddingModelChanged(
            f"The index is being rebuilt with {wanted.space}; until that is done, it holds vectors "
            f"of {active.space}. Start again when `raglive reindex` has ended. If it does not "
            "run, run it: it continues where it stopped."
        )
    return EmbeddingModelChanged(
        f"The index holds vectors of {active.space}, which cannot be compared with those of "
        f"{wanted.space}, as configured. {active.change_from(wanted)}. Or run `raglive reindex` "
        "with these settings to rebuild the index; it stays searchable meanwhile."
    )


async def create_documents_view(connection: Connection | asyncpg.Connection) -> None:
    """Create the view `public.documents`, readable by nobody else for now."""
    await connection.execute(_QUERIES["create_documents"])


async def _create(connection: Connection, space: VectorSpace) -> int:
    await connection.execute(_QUERIES["type_embeddings"].format(dimensions=space.dimensions))
    await create_documents_view(connection)
    await connection.execute(_QUERIES["create_match"].format(dimensions=space.dimensions))
    key: int = await connection.fetchval(
        _QUERIES["add_model"], space.provider, space.model, space.dimensions
    )
    return key
