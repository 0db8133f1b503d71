"""An operator's word that what a watcher holds back is meant to be deleted."""

from __future__ import annotations

from dataclasses import dataclass

from raglive.database.pool import Database

__all__ = ["Held", "approve_deletions", "held_pipelines"]

_HELD = """
SELECT pipeline_key, pipeline_id, problem ->> 'message' AS message
FROM raglive.pipelines JOIN raglive.heads USING (pipeline_key)
WHERE problem ->> 'code' IN ('deletions_held', 'watch_location_unavailable')
ORDER BY pipeline_id
"""
_APPROVE = """
UPDATE raglive.pipelines SET watch_state = watch_state || '{"deletions_approved": true}'
WHERE pipeline_key = $1
"""


@dataclass(frozen=True, slots=True)
class Held:
    """A pipeline that does not delete what it misses, and why."""

    pipeline_key: int
    pipeline_id: str
    message: str


async def held_pipelines(database: Database) -> list[Held]:
    """Return the pipelines that hold deletions back."""
    return [Held(**dict(row)) for row in await database.fetch(_HELD)]


async def approve_deletions(database: Database, pipeline_key: int) -> None:
    """Let a pipeline's watcher delete what it holds back; once."""
    await database.execute(_APPROVE, pipeline_key)
