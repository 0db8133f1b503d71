"""An operator's word that what a watcher holds back is meant to be deleted."""

from __future__ import annotations

from dataclasses import dataclass

from raglive.store.access.audit_log import note_act
from raglive.store.pool import Database

__all__ = ["Held", "approve_deletions", "held_pipelines"]

# A folder on disk that is not there holds nothing back yet: which one comes in its place decides.
_HELD = """
SELECT pipeline_key, pipeline_id, problem ->> 'message' AS message,
       problem ->> 'code' = 'deletions_held' OR pipeline_type <> 'local_files' AS is_decided
FROM raglive.pipelines JOIN raglive.heads USING (pipeline_key)
WHERE problem ->> 'code' IN ('deletions_held', 'watch_location_unavailable')
ORDER BY pipeline_id
"""
_APPROVE = """
UPDATE raglive.pipelines SET watch_state = watch_state || '{"deletions_approved": true}'
WHERE pipeline_key = $1 RETURNING pipeline_id
"""


@dataclass(frozen=True, slots=True)
class Held:
    """A pipeline that does not delete what it misses, and why.

    `is_decided`: it knows what it would delete.
    """

    pipeline_key: int
    pipeline_id: str
    message: str
    is_decided: bool


async def held_pipelines(database: Database) -> list[Held]:
    """Return the pipelines that hold deletions back."""
    return [Held(**dict(row)) for row in await database.fetch(_HELD)]


async def approve_deletions(
    database: Database, pipeline_key: int, *, asked_by: str = "command-line"
) -> None:
    """Let a pipeline's watcher delete what it holds back; once."""
    async with database.transaction() as connection:
        pipeline_id = await connection.fetchval(_APPROVE, pipeline_key)
        await note_act(
            connection, asked_by, "deletions_approved", pipeline_id=pipeline_id, detail={}
        )
