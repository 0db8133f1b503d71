"""Removes a pipeline with its files, chunks, vectors and log."""

from __future__ import annotations

from dataclasses import dataclass

from raglive.store.access.audit_log import append_entry
from raglive.store.pool import Connection, Database
from raglive.store.sql import load_queries
from raglive_contract.errors import ErrorCode, RagliveError

__all__ = ["RemovablePipeline", "find_removable", "remove_pipeline"]

_QUERIES = load_queries(__name__)

SILENT_SECONDS = 60.0  # without a heartbeat, a pipeline that says it is online counts as dead
BATCH_FILES = 200
BATCH_ROWS = 5_000


@dataclass(frozen=True, slots=True)
class RemovablePipeline:
    """A pipeline that nobody uses, and the numbers of its files and retained events."""

    key: int
    pipeline_id: str
    epoch: str
    files: int
    events: int


async def find_removable(database: Database, pipeline_id: str) -> RemovablePipeline:
    """Find a pipeline to remove.

    Raises `not_found`, and `conflict` while a watcher, a worker or a producer uses it.
    """
    async with database.transaction() as connection:
        return await _find(connection, pipeline_id)


async def remove_pipeline(
    database: Database, pipeline: RemovablePipeline, *, asked_by: str = "command-line"
) -> None:
    """Remove a pipeline in short transactions; record it in the audit log.

    From the first transaction on, nobody can publish to it or watch it. After a kill, another call
    continues. Raises what `find_removable` raises.
    """
    async with database.transaction() as connection:
        await _find(connection, pipeline.pipeline_id)
        await connection.execute(_QUERIES["begin"], pipeline.key)
        detail = {"epoch": pipeline.epoch, "files": pipeline.files, "events": pipeline.events}
        await append_entry(
            connection,
            asked_by,
            "pipeline_removed",
            pipeline_id=pipeline.pipeline_id,
            detail=detail,
        )
    await database.execute_in_batches(_QUERIES["delete_files"], pipeline.key, BATCH_FILES)
    while await database.fetchval(_QUERIES["remove_events"], pipeline.key, BATCH_ROWS):
        pass
    await database.execute_in_batches(_QUERIES["delete_usage"], pipeline.key, BATCH_ROWS)
    await database.execute(_QUERIES["delete_pipeline"], pipeline.key)


async def _find(connection: Connection, pipeline_id: str) -> RemovablePipeline:
    row = await connection.fetchrow(_QUERIES["find"], pipeline_id, SILENT_SECONDS)
    if row is None:
        raise RagliveError(f"There is no pipeline {pipeline_id}.", code=ErrorCode.NOT_FOUND)
    if row["used_by"] is not None:
        raise RagliveError(
            f"The pipeline {pipeline_id} is in use by {row['used_by']}. Stop that first. A process "
            f"that was killed counts as stopped after {SILENT_SECONDS:.0f} s.",
            code=ErrorCode.CONFLICT,
        )
    return RemovablePipeline(
        row["pipeline_key"], pipeline_id, row["epoch"], row["files"], row["events"]
    )
