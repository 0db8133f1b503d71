"""The health of a pipeline process, as `GET /health` reports it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from raglive.ingest.heartbeat import HeartbeatSender
from raglive.ingest.worker import Worker
from raglive.log_reader.shared_read import SharedRead
from raglive.sources.source import Watcher
from raglive.store.errors import STORE_ERRORS
from raglive.store.registry.pipelines import PipelineRecord
from raglive_contract.model import rfc3339

__all__ = ["PipelineHealth"]

DATABASE_SECONDS = 3.0


class PipelineHealth:
    """Reports whether the process works: its database answers, nothing pauses it, no problem."""

    def __init__(
        self,
        record: PipelineRecord,
        watcher: Watcher,
        worker: Worker,
        heartbeat: HeartbeatSender,
        extraction_sandbox: Mapping[str, list[str]],
    ) -> None:
        self._extraction_sandbox = extraction_sandbox
        self._record = record
        self._watcher = watcher
        self._worker = worker
        self._heartbeat = heartbeat
        self._query: SharedRead[tuple[bool, str | None]] = SharedRead()

    async def report(self) -> tuple[dict[str, Any], bool]:
        """Return the body, and whether the database answers and heartbeats arrive.

        Takes at most `DATABASE_SECONDS`.
        """
        answers, problem = await self._database()
        works = answers and not self._heartbeat.is_late
        paused = self._worker.paused
        last = self._heartbeat.last_beat
        body = {
            "status": "healthy" if works and not paused and not problem else "degraded",
            "pipeline_id": self._record.pipeline_id,
            "pipeline_type": self._record.pipeline_type,
            "watch_location": self._watcher.location,
            "database": "healthy" if answers else "unhealthy",
            "active_files": self._worker.active,
            "paused": None if paused is None else paused.wire(),
            "problem": problem,
            "embedding": self._worker.embedding_health(),
            "extraction_sandbox": self._extraction_sandbox,
            "is_checking": self._watcher.is_checking,
            "last_heartbeat": last and rfc3339(last),
            "uptime": self._heartbeat.uptime_seconds,
        }
        return body, works

    async def _database(self) -> tuple[bool, str | None]:
        """Return whether the database answers, and the code of the pipeline's current problem.

        Concurrent requests share one query. A query that hangs is not cancelled, because its
        connection would wait for the server to confirm that.
        """
        try:
            async with asyncio.timeout(DATABASE_SECONDS):
                return await self._query.join(self._ask)
        except TimeoutError:
            return False, None

    async def _ask(self) -> tuple[bool, str | None]:
        try:
            return True, await self._record.problem_code()
        except STORE_ERRORS:
            return False, None
