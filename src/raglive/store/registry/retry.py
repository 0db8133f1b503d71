"""Retries on request: of some failed files, of those with one error, or of all."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

from raglive.store.access.audit_log import append_entry
from raglive.store.log.event_log import append_events
from raglive.store.log.new_events import status_update
from raglive.store.pool import Database
from raglive.store.registry.pipelines import mention
from raglive.store.sql import load_queries
from raglive_contract.errors import ErrorCode, RagliveError

__all__ = ["file_ids_of", "retry_files"]

_QUERIES = load_queries(__name__)


async def retry_files(
    database: Database,
    pipeline_key: int,
    *,
    file_ids: Sequence[str] | None = None,
    code: str | None = None,
    asked_by: str,
) -> int:
    """Requeue failed files and those that wait for their next attempt; return how many.

    `file_ids` and `code` limit it to files of these ids and with this error code. Skipped files
    are retried only if `file_ids` names them. Earlier attempts and their errors stay recorded.
    Raises `conflict` if only another program can process the files.
    """
    async with database.transaction() as connection:
        ids = None if file_ids is None else list(file_ids)
        rows = await connection.fetch(_QUERIES["retry"], pipeline_key, ids, code)
        if rows:
            event = status_update({"files_requeued": mention(rows), "asked_by": asked_by})
            await append_events(connection, pipeline_key, [event])
            pipeline_id = await connection.fetchval(_QUERIES["pipeline_id"], pipeline_key)
            detail = {"count": len(rows), "code": code}
            await append_entry(
                connection, asked_by, "files_retried", pipeline_id=pipeline_id, detail=detail
            )
        elif await connection.fetchval(_QUERIES["is_of_another_program"], pipeline_key):
            raise RagliveError(
                "Another program processes the files of this pipeline. Retry them there.",
                code=ErrorCode.CONFLICT,
            )
        return len(rows)


async def file_ids_of(
    database: Database, pipeline_keys: Sequence[int], names: Sequence[str]
) -> Mapping[int, list[str]]:
    """Return the ids of files by pipeline key, each given by its id, name, or path.

    Raises `not_found` if a name matches no file.
    """
    rows = await database.fetch(_QUERIES["file_ids"], list(pipeline_keys), list(names))
    missing = set(names) - {row["given"] for row in rows}
    if missing:
        raise RagliveError(
            f"No file has this id, name or path: {', '.join(sorted(missing))}.",
            code=ErrorCode.NOT_FOUND,
        )
    ids: dict[int, list[str]] = defaultdict(list)
    for row in rows:
        ids[row["pipeline_key"]].append(row["file_id"])
    return ids
