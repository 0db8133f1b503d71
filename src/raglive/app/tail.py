"""The log, followed."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from raglive.app.wiring import Wiring
from raglive.bus.postgres import PostgresBus
from raglive.contract.cursor import parse_cursor
from raglive.database.event_log import EventLog
from raglive.database.status import PipelineReads
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
        aclosing(
            follow(EventLog(database), bus, start, pipeline_id=pipeline_id, until_idle=until_idle)
        ) as events,
    ):
        if pipeline_id is not None:
            await PipelineReads(database).head(pipeline_id)
        async for event in events:
            yield event
