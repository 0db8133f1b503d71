"""Trying files again from the command line."""

from __future__ import annotations

from collections.abc import Sequence

from raglive.app.unknown_pipeline import require_known
from raglive.app.wiring import Wiring
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
        if pipeline_id is not None:
            require_known([pipeline_id], [head.pipeline_id for head in heads])
        keys = [head.pipeline_key for head in heads if pipeline_id in {None, head.pipeline_id}]
        wanted = await files_named(database, keys, files) if files else dict.fromkeys(keys)
        counts = [
            await retry_files(database, key, file_ids=ids, code=code, asked_by="command-line")
            for key, ids in wanted.items()
        ]
        return sum(counts)
