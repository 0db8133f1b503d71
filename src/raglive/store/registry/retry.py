"""Try files again that failed: some, those of one error, or all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from raglive.store.access.audit_log import note_act
from raglive.store.log.event_log import append_events
from raglive.store.pool import Database
from raglive.store.registry.pipelines import new_event
from raglive.store.sql import load_queries
from raglive_contract.errors import ErrorCode, RagliveError

__all__ = ["files_named", "retry_files"]

_QUERIES = load_queries("registry/retry")

MENTIONED = 50  # files that the event names; the others are counted


async def retry_files(
    database: Database,
    pipeline_key: int,
    *,
    file_ids: Sequence[str] | None = None,
    code: str | None = None,
    asked_by: str,
) -> int:
    """Queue failed files, and those that wait for their next attempt; return how many.

    Skipped files are tried again only when they are named. Attempts made so far, and why they
    failed, are kept.
    """
    async with database.transaction() as connection:
        ids = None if file_ids is None else list(file_ids)
        rows = await connection.fetch(_QUERIES["retry"], pipeline_key, ids, code)
        if rows:
            files = [{"id": row["file_id"], "name": row["name"]} for row in rows[:MENTIONED]]
            requeued = {"count": len(rows), "files": files}
            changes = {"files_requeued": requeued, "asked_by": asked_by}
            await append_events(
                connection, pipeline_key, [new_event("status:update", changes=changes)]
            )
            pipeline_id = await connection.fetchval(_QUERIES["pipeline_id"], pipeline_key)
            detail = {"count": len(rows), "code": code}
            await note_act(
                connection, asked_by, "files_retried", pipeline_id=pipeline_id, detail=detail
            )
        return len(rows)


async def files_named(
    database: Database, pipeline_keys: Sequence[int], words: Sequence[str]
) -> Mapping[int, list[str]]:
    """Return by pipeline the ids of files that people name by id, name, or folder and name.

    Raises `not_found` for a word that names none.
    """
    rows = await database.fetch(_QUERIES["named"], list(pipeline_keys), list(words))
    missing = set(words) - {row["word"] for row in rows}
    if missing:
        raise RagliveError(
            f"No file has this id, name or path: {', '.join(sorted(missing))}.",
            code=ErrorCode.NOT_FOUND,
        )
    ids: dict[int, list[str]] = defaultdict(list)
    for row in rows:
        ids[row["pipeline_key"]].append(row["file_id"])
    return ids
