"""The status of all pipelines in memory, so that frequent polls cost the database little.

A poll reads it again when a hint says that a log has grown, at most 20 times a second, and
otherwise when it is a second old. Concurrent callers share one reading. It holds no position in a
log: polls start at any cursor, and need the status of all pipelines at one moment.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from raglive.bus.bus import Bus
from raglive.dashboard.system_status import SystemStatus
from raglive.log_reader.hints import HeadHints
from raglive.log_reader.shared_read import SharedRead
from raglive.log_reader.summaries import Summaries
from raglive.store.log.event_log import Head
from raglive.store.log.pipeline_status import PipelineReads
from raglive.store.log.pipeline_summary import Summary

__all__ = ["StatusCache"]

FRESH_SECONDS = 1.0
LEAST_SECONDS = 0.05


class StatusCache:
    """Caches the system status; hints arrive while `run` runs."""

    def __init__(self, reads: PipelineReads, bus: Bus) -> None:
        self._reads = reads
        self._hints = HeadHints(bus)
        self._summaries = Summaries(reads)
        self._status: SystemStatus | None = None
        self._reading: SharedRead[SystemStatus] = SharedRead()
        self.closing = False

    async def run(self) -> None:
        """Collect hints until cancelled."""
        await self._hints.listen()

    async def current(self) -> SystemStatus:
        """The status that no hint contradicts and that is at most a second old.

        Raises `DatabaseUnavailable`.
        """
        status = self._status
        if status is not None and self._is_current(status):
            return status
        return await self._reading.join(self._read)

    async def renew(self) -> SystemStatus:
        """Read the status of this moment or later; raise `DatabaseUnavailable`."""
        asked_at = asyncio.get_running_loop().time()
        while (status := await self._reading.join(self._read)).read_at < asked_at:
            pass
        return status

    async def summaries(self, heads: Sequence[Head]) -> list[Summary]:
        """Look up the summary of each pipeline, at most about a second old.

        Raises `DatabaseUnavailable`, and `not_found` for a pipeline that is gone.
        """
        return await self._summaries.current(heads)

    async def wait(self, status: SystemStatus, within_seconds: float) -> None:
        """Wait until a status is no longer current; at most `within_seconds`."""
        if self.closing or not self._is_current(status):
            return
        await self._hints.wait(min(within_seconds, FRESH_SECONDS - _age(status)))

    def close(self) -> None:
        """End every `wait`, also those that follow."""
        self.closing = True
        self._hints.wake()

    def _is_current(self, status: SystemStatus) -> bool:
        if self._hints.in_doubt or _age(status) >= FRESH_SECONDS:
            return False
        return all(status.seqs.get(key, -1) >= seq for key, seq in self._hints.seqs.items())

    async def _read(self) -> SystemStatus:
        if self._status is not None:
            await asyncio.sleep(LEAST_SECONDS - _age(self._status))
        read_at = asyncio.get_running_loop().time()
        self._hints.take()
        self._hints.in_doubt = False
        try:
            self._status = SystemStatus(await self._reads.pipelines(), read_at, self._reads)
        except BaseException:
            self._hints.in_doubt = True
            raise
        self._summaries.retain(self._status.seqs.keys())
        return self._status


def _age(status: SystemStatus) -> float:
    return asyncio.get_running_loop().time() - status.read_at
