"""The processes that work for one pipeline, on any machine."""

from __future__ import annotations

from raglive.store.pool import Database
from raglive.store.sql import load_queries

__all__ = ["PipelineProcess"]

_QUERIES = load_queries(__name__)

ALIVE_SECONDS = 20.0  # several heartbeats; as long as a pipeline may be silent


class PipelineProcess:
    """A process among those of its pipeline; every method may raise the database's errors."""

    def __init__(self, database: Database, key: int, owner: str) -> None:
        self._database = database
        self._key = key
        self._owner = owner

    async def record(self) -> bool:
        """Record that it lives; return whether another process watches, whose heartbeat counts."""
        return bool(await self._database.fetchval(_QUERIES["record"], self._key, self._owner))

    async def others(self) -> list[str]:
        """Return the owners of the pipeline's other processes that were seen lately."""
        query = _QUERIES["others"]
        rows = await self._database.fetch(query, self._key, self._owner, ALIVE_SECONDS)
        return [row["owner"] for row in rows]

    async def leave(self) -> None:
        """Forget this process, and those that were not seen lately."""
        await self._database.execute(_QUERIES["leave"], self._key, self._owner, ALIVE_SECONDS)
