"""Do the registry, the index and the log agree? Every query finds what does not."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from raglive.contract.model import WireModel
from raglive.database.pool import Database
from raglive.database.sql import load_queries

__all__ = ["Disagreement", "find_disagreements"]

_QUERIES = load_queries("verify")


class Disagreement(WireModel):
    """Two parts of the database that say different things."""

    code: Annotated[str, Field(description="the check that found it")]
    pipeline_id: str
    message: str


async def find_disagreements(database: Database) -> list[Disagreement]:
    """Run every check on one snapshot of the database; an empty list is a sound database."""
    async with (
        database.connection() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        return [
            Disagreement(code=check, pipeline_id=row[0], message=row[1])
            for check, query in _QUERIES.items()
            for row in await connection.fetch(query)
        ]
