"""The log, followed."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from raglive.app.unknown_pipeline import require_known
from raglive.app.wiring import Wiring
from raglive.bus.postgres import PostgresBus
from raglive.contract.cursor import parse_cursor
from raglive.database.event_log import EventLog
from raglive.hub.follow import follow

__all__ = ["tail"]


async def tail(
    wiring: Wiring, *, cursor: str, pipeline_id: str | None, until_idle: bool
) -> AsyncGenerator[dict[str, Any]]:
    """Yield the events of the log after a cursor."""
    start = parse_cursor(cursor)
    async with (
        wiring.database("tail", max_size=2) as database,
        PostgresBus(database.dsn, listens=database.listens) as bus,
    ):
        log = EventLog(database)
        if pipeline_id is not None:
            require_known([pipeline_id], [head.pipeline_id for head in await log.heads()])
        following = follow(log, bus, start, pipeline_id=pipeline_id, until_idle=until_idle)
        async with aclosing(following) as events:
            async for event in events:
                yield event
