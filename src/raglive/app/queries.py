"""Queries of the command line: search, status, tail and verification."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from typing import Any

from raglive.app.embedder import search_config
from raglive.app.installation import Installation
from raglive.bus.postgres import PostgresBus
from raglive.log_reader.tail import tail_log
from raglive.search.service import SearchRequest, SearchService
from raglive.store.index.search import Hit
from raglive.store.index.verify import Disagreement, find_disagreements
from raglive.store.log.event_log import EventLog
from raglive_contract.cursor import parse_cursor
from raglive_contract.errors import ErrorCode, RagliveError

__all__ = ["require_known", "search", "tail", "verify"]


async def search(installation: Installation, question: SearchRequest) -> list[Hit]:
    """Search with the model that the index was built with.

    Raises what `SearchService.search` does, and `not_found` for a pipeline that does not exist.
    """
    async with installation.database("search", max_size=2) as database:
        asking = SearchService(database, search_config(installation.settings))
        try:
            if question.pipeline_ids is not None:
                require_known(question.pipeline_ids, await asking.pipeline_ids())
            return await asking.search(question)
        finally:
            await asking.close()


async def tail(
    installation: Installation, *, cursor: str, pipeline_id: str | None, until_idle: bool
) -> AsyncGenerator[dict[str, Any]]:
    """Yield the events of the log after a cursor; raises what `tail_log` raises."""
    start = parse_cursor(cursor)
    async with (
        installation.database("tail", max_size=2) as database,
        PostgresBus(database.dsn, listens=database.listens) as bus,
    ):
        log = EventLog(database)
        if pipeline_id is not None:
            require_known([pipeline_id], [head.pipeline_id for head in await log.heads()])
        tailing = tail_log(log, bus, start, pipeline_id=pipeline_id, until_idle=until_idle)
        async with aclosing(tailing) as events:
            async for event in events:
                yield event


async def verify(installation: Installation) -> list[Disagreement]:
    """Find the disagreements among registry, index and log."""
    async with installation.database("verify", max_size=2) as database:
        return await find_disagreements(database)


def require_known(asked: Iterable[str], known: Iterable[str]) -> None:
    """Raise `not_found`, listing the pipelines that exist, if one of those asked for does not."""
    there_are = sorted(known)
    unknown = sorted(set(asked) - set(there_are))
    if unknown:
        others = f"There are: {', '.join(there_are)}." if there_are else "There is none yet."
        raise RagliveError(
            f"There is no pipeline {', '.join(unknown)}. {others}", code=ErrorCode.NOT_FOUND
        )
