"""Deletions that a watcher holds back until an operator approves them."""

from __future__ import annotations

from dataclasses import dataclass

from raglive.store.access.audit_log import append_entry
from raglive.store.pool import Database
from raglive.store.sql import load_queries

__all__ = ["HeldDeletions", "approve_deletions", "list_held_deletions"]

_QUERIES = load_queries(__name__)


@dataclass(frozen=True, slots=True)
class HeldDeletions:
    """A pipeline that does not delete files that it misses, and the reason it gives.

    `can_be_approved`: the pipeline knows which files it would delete.
    """

    pipeline_key: int
    pipeline_id: str
    message: str
    can_be_approved: bool


async def list_held_deletions(database: Database) -> list[HeldDeletions]:
    """Return the pipelines that hold deletions back, ordered by id."""
    return [HeldDeletions(**dict(row)) for row in await database.fetch(_QUERIES["held"])]


async def approve_deletions(
    database: Database, pipeline_key: int, *, asked_by: str = "command-line"
) -> None:
    """Let a pipeline's watcher delete, once, what it holds back; record it in the audit log."""
    async with database.transaction() as connection:
        pipeline_id = await connection.fetchval(_QUERIES["approve"], pipeline_key)
        await append_entry(
            connection, asked_by, "deletions_approved", pipeline_id=pipeline_id, detail={}
        )
