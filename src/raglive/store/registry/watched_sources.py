"""The pipelines whose sources raglive itself watches."""

from __future__ import annotations

from dataclasses import dataclass

from raglive.store.pool import Database
from raglive.store.registry.pipelines import PipelineRecord
from raglive.store.sql import load_queries

__all__ = ["WatchedSource", "list_watched_sources"]

_QUERIES = load_queries(__name__)


@dataclass(frozen=True, slots=True)
class WatchedSource:
    """A pipeline and its source: folders of Google Drive, or the folder at `location`."""

    record: PipelineRecord
    location: str
    is_google_drive: bool


async def list_watched_sources(database: Database) -> list[WatchedSource]:
    """Return the pipelines that a watcher of raglive has checked, ordered by id."""
    rows = await database.fetch(_QUERIES["watched_sources"])
    return [
        WatchedSource(
            PipelineRecord(database, row["pipeline_key"], row["pipeline_id"], row["pipeline_type"]),
            row["location"] or "",
            row["is_google_drive"],
        )
        for row in rows
    ]
