"""The cache of vectors by the hash of their text, so that no text is embedded twice."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from raglive.store.accounting.spending import Draw, Spending, Usage
from raglive.store.index.vector_space import ChosenSpace
from raglive.store.pool import Connection, Database
from raglive.store.sql import load_queries

__all__ = ["Vector", "VectorCache", "cache_indexed", "delete_cached"]

_QUERIES = load_queries(__name__)

Vector = NDArray[np.float32]


class VectorCache:
    """The vectors of one model: those in the index, and those that no chunk holds yet."""

    def __init__(self, database: Database, space: ChosenSpace) -> None:
        self._database = database
        self._space = space

    async def find(self, content_hashes: Sequence[bytes]) -> dict[bytes, Vector]:
        """Return the known vectors of texts by the SHA-256 hash of the text."""
        query = _QUERIES["find"]
        rows = await self._database.fetch(query, list(content_hashes), self._space.key)
        return {bytes(row["content_hash"]): _vector(row["embedding"]) for row in rows}

    async def add(
        self,
        vectors: Sequence[tuple[bytes, Vector]],
        spending: Spending,
        usage: Mapping[int, Usage],
        draw: Draw | None = None,
    ) -> None:
        """Cache vectors by content hash and record what they cost, in one transaction.

        `usage` is by file key; `draw` is the part of a reservation that it replaces.
        """
        model = f"{self._space.space.provider} {self._space.space.model}"
        in_order = sorted(vectors, key=lambda one: one[0])  # one order prevents deadlocks
        rows = [(self._space.key, *one) for one in in_order]
        async with self._database.transaction() as connection:
            await connection.executemany(_QUERIES["add"], rows)
            await spending.record(connection, model, usage, draw)


async def cache_indexed(connection: Connection, file_key: int) -> None:
    """Cache the vectors of a file whose chunks will be deleted, in case it is retried."""
    await connection.execute(_QUERIES["add_indexed"], file_key)


async def delete_cached(connection: Connection, content_hashes: Sequence[bytes]) -> None:
    """Delete cached vectors of the active model that chunks hold by now."""
    await connection.execute(_QUERIES["delete"], content_hashes)


def _vector(stored: Any) -> Vector:
    return np.asarray(stored.to_numpy() if hasattr(stored, "to_numpy") else stored, np.float32)
