"""The one space that all vectors of the index lie in: of which model, with how many dimensions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from raglive.store.migrate import schema_errors_explained
from raglive.store.pool import Connection, Database
from raglive.store.sql import load_queries
from raglive_contract.errors import RagliveError

__all__ = [
    "PLAIN",
    "ChosenSpace",
    "EmbeddingModelChanged",
    "ModelSource",
    "VectorSpace",
    "active_model",
    "active_vector_space",
    "advice",
    "as_settings",
    "choose_vector_space",
    "lock_models",
    "note_source",
    "read_space",
    "require_space",
]

_QUERIES = load_queries("index/vector_space")


BUILT_IN = "builtin"
Values = Mapping[str, str | None]


@dataclass(frozen=True, slots=True)
class ModelSource:
    """The address that is set, and the dimensions that are asked for; None where none are."""

    base_url: str | None = None
    asked_dimensions: int | None = None

    def storable(self) -> ModelSource:
        """Return it without what an address may hold of names, passwords and keys."""
        if not self.base_url:
            return ModelSource(None, self.asked_dimensions)
        try:
            parts = urlsplit(self.base_url)
        except ValueError:  # nobody can be asked there
            return ModelSource(None, self.asked_dimensions)
        host = parts.netloc.rpartition("@")[2]
        address = urlunsplit(parts._replace(netloc=host, query="", fragment=""))
        return ModelSource(address, self.asked_dimensions)


PLAIN = ModelSource()


def as_settings(provider: str, model: str | None, source: ModelSource) -> Values:
    """Return what a process has to have set to get such vectors; None for what is to be unset."""
    if provider == BUILT_IN:
        return {"EMBEDDING_PROVIDER": BUILT_IN, "EMBEDDING_MODEL": None}
    asked = source.asked_dimensions
    return {
        "EMBEDDING_PROVIDER": provider,
        "EMBEDDING_MODEL": model,
        "EMBEDDING_BASE_URL": source.storable().base_url,
        "RAGLIVE_EMBEDDING_DIMENSIONS": None if asked is None else str(asked),
    }


def advice(wanted: Values, own: Values) -> str:
    """Say which settings to change; empty when they are the same."""
    other = {name: value for name, value in wanted.items() if own.get(name) != value}
    to_set = [f"{name}={value}" for name, value in other.items() if value is not None]
    if "EMBEDDING_PROVIDER" in other and wanted["EMBEDDING_PROVIDER"] != BUILT_IN:
        to_set.append("EMBEDDING_API_KEY if the provider wants a key")
    to_unset = [name for name, value in other.items() if value is None]
    said = [f"set {_listed(to_set)}"] if to_set else []
    said += [f"unset {_listed(to_unset)}"] if to_unset else []
    whole = ", and ".join(said)
    return whole[:1].upper() + whole[1:]


def _listed(names: list[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


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
    source: ModelSource = PLAIN

    def settings(self) -> Values:
        """Return what a process that embeds in this space has set."""
        return as_settings(self.space.provider, self.space.model, self.source)

    def change_from(self, own: ChosenSpace) -> str:
        """Say which settings a process that embeds in its `own` space has to change for this."""
        dimensions = f"Set RAGLIVE_EMBEDDING_DIMENSIONS={self.space.dimensions}"
        return advice(self.settings(), own.settings()) or dimensions

    async def hold(self, connection: Connection) -> None:
        """Keep the index in this space until the transaction ends.

        Raises `EmbeddingModelChanged` when it has left it.
        """
        if not await connection.fetchval(_QUERIES["hold"], self.key):
            raise EmbeddingModelChanged("The index was made anew with another model meanwhile.")

    async def successor(self, database: Database) -> ChosenSpace | None:
        """Return the space that the index has been made anew in; None while it is in this one."""
        row = await database.fetchrow(_QUERIES["active_model"])
        return None if row is None or row["model_key"] == self.key else _chosen(row)


async def active_model(database: Database) -> ChosenSpace | None:
    """Return the space of the index, and how its vectors are asked for; None while it is new."""
    row = await database.fetchrow(_QUERIES["active_model"])
    return None if row is None else _chosen(row)


async def active_vector_space(database: Database) -> VectorSpace | None:
    """Return the space of the index; None while it is new."""
    active = await active_model(database)
    return None if active is None else active.space


async def choose_vector_space(
    database: Database, wanted: VectorSpace, source: ModelSource = PLAIN
) -> ChosenSpace:
    """Make the index one of `wanted` vectors, if it is new, and note how they are asked for.

    Raises `EmbeddingModelChanged` when it already is one of others, and `MigrationError` when
    what is not raglive's has the name `documents` or `match_documents`.
    """
    async with database.transaction() as connection:
        await lock_models(connection)
        active = await read_space(connection, "active_model")
        chosen = ChosenSpace(0, wanted, source)
        if active is None:
            chosen = replace(chosen, key=await _make(connection, wanted))
        elif active.space == wanted:
            chosen = replace(chosen, key=active.key)
        else:
            following = await read_space(connection, "next_model")
            is_under_way = following is not None and following.space == wanted
            raise _changed(active, chosen, is_under_way=is_under_way)
        await note_source(connection, chosen)
        return chosen


async def note_source(connection: Connection | asyncpg.Connection, chosen: ChosenSpace) -> None:
    """Keep how vectors of a space are asked for."""
    kept = chosen.source.storable()
    query = _QUERIES["note_source"]
    await connection.execute(query, chosen.key, kept.base_url, kept.asked_dimensions)


async def lock_models(connection: Connection | asyncpg.Connection) -> None:
    """Let nobody else choose a model until the transaction ends."""
    await connection.execute(_QUERIES["lock_models"])


async def read_space(connection: Connection | asyncpg.Connection, which: str) -> ChosenSpace | None:
    """Return the space of the `active_model` or of the `next_model`; None if there is none."""
    row = await connection.fetchrow(_QUERIES[which])
    return None if row is None else _chosen(row)


async def require_space(connection: Connection, space: VectorSpace) -> None:
    """Raise `EmbeddingModelChanged` unless the index is in this space, as the transaction sees."""
    active = await read_space(connection, "active_model")
    if active is None or active.space != space:
        raise EmbeddingModelChanged("The index was made anew with another model meanwhile.")


def _chosen(row: asyncpg.Record) -> ChosenSpace:
    space = VectorSpace(row["provider"], row["model"], row["dimensions"])
    return ChosenSpace(
        row["model_key"], space, ModelSource(row["base_url"], row["asked_dimensions"])
    )


def _changed(
    active: ChosenSpace, wanted: ChosenSpace, *, is_under_way: bool
) -> EmbeddingModelChanged:
    if is_under_way:
        return EmbeddingModelChanged(
            f"The index is being made anew with {wanted.space}, and is of {active.space} until "
            "then. Start again when `raglive reindex` has ended; if it does not run, run it: "
            "it goes on where it was."
        )
    return EmbeddingModelChanged(
        f"The index holds vectors of {active.space}, which cannot be compared with those of "
        f"{wanted.space}, as configured. {active.change_from(wanted)}. Or run `raglive reindex` "
        "with these settings to make the index anew, searchable throughout."
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
