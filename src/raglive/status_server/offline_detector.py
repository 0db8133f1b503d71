"""Pipelines that have fallen silent."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from raglive.status_server.timeouts import Patience
from raglive.store.errors import DATABASE_ERRORS
from raglive.store.pool import Database
from raglive.store.registry.pipelines import end_silent_pipelines

__all__ = ["end_silent"]

log = structlog.get_logger()


async def end_silent(
    database: Database, lag_seconds: Callable[[], float], patience: Patience
) -> None:
    """Say that pipelines are offline whose heartbeat has stopped, until cancelled.

    While the database is away every pipeline looks silent: they get time to beat again.
    """
    loop = asyncio.get_running_loop()
    seconds = patience.silent_pipeline
    last_failure = loop.time()
    while True:
        await asyncio.sleep(seconds / 10)
        if lag_seconds() > patience.lag:
            last_failure = loop.time()
        elif loop.time() - last_failure > seconds:
            try:
                ended = await end_silent_pipelines(database, seconds)
            except DATABASE_ERRORS as error:
                log.warning("silence_not_checked", error=type(error).__name__)
            else:
                for pipeline_id in ended:
                    log.warning("pipeline_silent", pipeline=pipeline_id)
