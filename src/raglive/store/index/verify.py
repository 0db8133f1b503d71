"""Do the registry, the index and the log agree? Every query finds what does not."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from raglive.store.pool import Database
from raglive.store.sql import load_queries
from raglive_contract.model import WireModel

__all__ = ["Disagreement", "find_disagreements"]

_QUERIES = load_queries("index/verify")

CHECK_SECONDS = 900.0  # for each; some read all texts

_ANEW = (
    "Take the file out of the watched folder, wait until it is no longer listed, and put it back: "
    "it is indexed anew."
)
_KEPT = "It costs only room, and is let go of within a week."
_STRANGE = (
    "raglive does not leave this behind. Was the database changed by hand, or restored in part? "
    "Restore a whole backup; or keep this one, and report it with what is said here."
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
        _ANEW,
    ),
    "draft_left_over": _KEPT,
    "draft_of_no_version": _KEPT,
    "next_vectors_of_nothing": "Run `raglive reindex --give-up`, and then `raglive reindex` again.",
    "kept_of_other_dimensions": (
        "Run `DELETE FROM raglive.kept_vectors`: what is in the index stays, and what is not is "
        "embedded again."
    ),
}


class Disagreement(WireModel):
    """Two parts of the database that say different things."""

    code: Annotated[str, Field(description="the check that found it")]
    pipeline_id: str
    message: str
    action: Annotated[str, Field(description="what to do about it")]


async def find_disagreements(database: Database) -> list[Disagreement]:
    """Run every check on one snapshot of the database; an empty list is a sound database.

    The chunks keep their columns from before it is taken: a snapshot shows rows as they were, but
    columns as they are.
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
                action=_ACTIONS.get(check, _STRANGE),
            )
            for check, query in _QUERIES.items()
            for row in await connection.fetch(query, timeout=CHECK_SECONDS)
        ]
