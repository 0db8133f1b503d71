"""Queries of the command line: search, status, tail and verification."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from contextlib import aclosing
from typing import Any

from raglive.app.installation import Installation
from raglive.bus.postgres import PostgresBus
from raglive.dashboard.rag_status import StatusPoll, full_status
from raglive.dashboard.server import STALE_HEARTBEATS
from raglive.dashboard.status_probe import StatusProbe
from raglive.dashboard.status_server_address import StatusServerAddress
from raglive.log_reader.tail import tail_log
from raglive.search.questions import Question, Search
from raglive.store.index.search import Hit
from raglive.store.index.verify import Disagreement, find_disagreements
from raglive.store.log.event_log import EventLog
from raglive.store.log.pipeline_status import PipelineReads
from raglive_contract.cursor import Cursor, parse_cursor
from raglive_contract.errors import ErrorCode, RagliveError
from raglive_contract.http import RagStatus

__all__ = ["read_status", "require_known", "search", "tail", "verify"]


async def search(installation: Installation, question: Question) -> list[Hit]:
    """Search with the model that the index was built with.

    Raises what `Search.answer` does, and `not_found` for a pipeline that does not exist.
    """
    async with installation.database("search", max_size=2) as database:
        asking = Search(database, installation.settings)
        try:
            if question.pipeline_ids is not None:
                require_known(question.pipeline_ids, await asking.pipeline_ids())
            return await asking.answer(question)
        finally:
            await asking.close()


async def read_status(installation: Installation, pipeline_id: str | None) -> RagStatus:
    """Build the answer of `/api/rag-status` with all rights."""
    address = StatusServerAddress(installation.settings)
    probe = StatusProbe(address.own_url)
    try:
        async with installation.database("status", max_size=2) as database:
            reads = PipelineReads(database)
            rows = await reads.pipelines()
            if pipeline_id is not None:
                require_known([pipeline_id], [row.head.pipeline_id for row in rows])
                rows = [row for row in rows if row.head.pipeline_id == pipeline_id]
            body = full_status(
                StatusPoll(
                    rows,
                    [await reads.summary(row.head.pipeline_key) for row in rows],
                    events=[],
                    next_cursor=str(Cursor.of(row.head.position for row in rows)),
                    up_to_date=True,
                    revision=None,
                ),
                websocket_url=address.own_url,
                namespaces=address.namespaces,
                is_available=(await probe.fresh()).is_available,
                stale_seconds=STALE_HEARTBEATS * installation.settings.heartbeat_interval,
            )
            return RagStatus.model_validate(body)
    finally:
        await probe.close()


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
