"""Checks that registry, index and log agree: each query returns what does not."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from raglive.store.pool import Database
from raglive.store.sql import load_queries
from raglive_contract.model import WireModel

__all__ = ["Disagreement", "find_disagreements"]

_QUERIES = load_queries(__name__)

CHECK_SECONDS = 900.0  # the time limit of a check; some read every text

_REINDEX_FILE = (
    "Take the file out of the watched folder, wait until it is no longer listed, and put it back: "
    "it is indexed again."
)
_EXPIRES = "It only occupies space, and is deleted within a week."
_UNEXPECTED = (
    "raglive never leaves this behind. Was the database changed by hand, or restored in part? "
    "Restore a whole backup; or keep this database, and report it with this message."
)
_ACTIONS = {
    **dict.fromkeys(
        (
            "completed_without_its_chunks",
            "chunks_with_gaps",
            "chunks_of_other_text",
            "vectors_without_direction",
            "chunks_without_vector",
            "rows_with_gaps",
            "queued_for_ever",
            "in_progress_for_nobody",
            "older_version_done",
        ),
        _REINDEX_FILE,
    ),
    "draft_left_over": _EXPIRES,
    "draft_of_no_version": _EXPIRES,
    "next_vectors_of_nothing": "Run `raglive reindex --abort`, and then `raglive reindex` again.",
    "cached_vectors_of_other_dimensions": (
        "Run `DELETE FROM raglive.cached_vectors`: the index stays as it is, and texts that are "
        "not in it are embedded again."
    ),
}


class Disagreement(WireModel):
    """Two parts of the database that contradict each other."""

    code: Annotated[str, Field(description="the check that found it")]
    pipeline_id: str
    message: str
    action: Annotated[str, Field(description="what to do about it")]


async def find_disagreements(database: Database) -> list[Disagreement]:
    """Run every check on one snapshot of the database; return an empty list if all is well.

    Locks the chunks before the snapshot is taken, because a snapshot covers rows but not columns.
    Raises the database's errors.
    """
    async with (
        database.connection() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        await connection.execute("LOCK TABLE raglive.chunks IN ACCESS SHARE MODE")
        return [
            Disagreement(
                code=check,
                pipeline_id=row[0],
                message=row[1],
                action=_ACTIONS.get(check, _UNEXPECTED),
            )
            for check, query in _QUERIES.items()
            for row in await connection.fetch(query, timeout=CHECK_SECONDS)
        ]
