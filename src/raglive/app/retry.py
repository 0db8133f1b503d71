"""Trying files again from the command line."""

from __future__ import annotations

from collections.abc import Sequence

from raglive.app.wiring import Wiring
from raglive.contract.errors import ErrorCode, RagliveError
from raglive.database.event_log import EventLog
from raglive.database.retry import files_named, retry_files

__all__ = ["retry"]


async def retry(
    wiring: Wiring, *, pipeline_id: str | None, files: Sequence[str], code: str | None
) -> int:
    """Queue failed files again, of one pipeline or of all; return how many.

    `files` are ids, names or paths below the watched folder; without any, all that failed.
    """
    async with wiring.database("retry", max_size=1) as database:
        heads = await EventLog(database).heads()
        chosen = [head for head in heads if pipeline_id in {None, head.pipeline_id}]
        if not chosen and pipeline_id is not None:
            raise RagliveError(f"There is no pipeline {pipeline_id}.", code=ErrorCode.NOT_FOUND)
        keys = [head.pipeline_key for head in chosen]
        wanted = await files_named(database, keys, files) if files else dict.fromkeys(keys)
        counts = [
            await retry_files(database, key, file_ids=ids, code=code, asked_by="command-line")
            for key, ids in wanted.items()
        ]
        return sum(counts)
