"""Offline detection: pipelines without a heartbeat are marked offline."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from raglive.status_server.timeouts import Timeouts
from raglive.store.errors import DATABASE_ERRORS
from raglive.store.pool import Database
from raglive.store.registry.pipelines import end_silent_pipelines

__all__ = ["OfflineDetector"]

log = structlog.get_logger()


class OfflineDetector:
    """Marks pipelines offline after `Timeouts.pipeline_heartbeat`.

    No pipeline can send a heartbeat while the database is away, so the time-out starts again when
    the log becomes readable. `lag_seconds` says how far this server is behind the log.
    """

    def __init__(
        self, database: Database, lag_seconds: Callable[[], float], timeouts: Timeouts
    ) -> None:
        self._database = database
        self._lag_seconds = lag_seconds
        self._timeouts = timeouts

    async def run(self) -> None:
        """Check ten times within each time-out, until cancelled."""
        loop = asyncio.get_running_loop()
        seconds = self._timeouts.pipeline_heartbeat
        last_failure = loop.time()
        while True:
            await asyncio.sleep(seconds / 10)
            if self._lag_seconds() > self._timeouts.log_lag:
                last_failure = loop.time()
            elif loop.time() - last_failure > seconds:
                await self._mark_offline(seconds)

    async def _mark_offline(self, seconds: float) -> None:
        try:
            ended = await end_silent_pipelines(self._database, seconds)
        except DATABASE_ERRORS as error:
            log.warning("offline_check_failed", error=type(error).__name__)
        else:
            for pipeline_id in ended:
                log.warning("pipeline_offline", pipeline=pipeline_id)
