"""The status of all pipelines in memory, so that frequent polls cost the database little.

A poll reads the heads of all pipelines again when a hint says that a log has grown, at most 20
times a second, and otherwise when they are a second old. Snapshots and summaries are read of the
pipelines that an answer shows. Concurrent callers share readings. The cache holds no position in a
log: polls start at any cursor.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from raglive.bus.bus import Bus
from raglive.dashboard.system_status import SystemStatus
from raglive.log_reader.hints import HeadHints
from raglive.log_reader.shared_read import SharedRead
from raglive.log_reader.summaries import Summaries
from raglive.store.errors import STORE_ERRORS
from raglive.store.log.pipeline_status import PipelineReads, PipelineRow, PipelineSnapshot
from raglive.store.log.pipeline_summary import Summary
from raglive_contract.wire import WirePipelineStatus

__all__ = ["BATCH", "ShownPipeline", "StatusCache"]

FRESH_SECONDS = 1.0
LEAST_SECONDS = 0.05
BATCH = 32  # pipelines; about as many fit into an answer


@dataclass(frozen=True, slots=True)
class ShownPipeline:
    """A pipeline's status at exactly the head of its row, and its latest summary."""

    row: PipelineRow
    status: WirePipelineStatus
    summary: Summary


@dataclass(frozen=True, slots=True)
class _Read:
    snapshot: PipelineSnapshot
    read_at: float


class StatusCache:
    """Caches the system status; hints arrive while `run` runs."""

    def __init__(self, reads: PipelineReads, bus: Bus) -> None:
        self._reads = reads
        self._hints = HeadHints(bus)
        self._summaries = Summaries(reads)
        self._status: SystemStatus | None = None
        self._snapshots: dict[int, _Read] = {}
        self._reading_snapshots = asyncio.Lock()
        self._reading: SharedRead[SystemStatus] = SharedRead()
        self.closing = False

    async def run(self) -> None:
        """Read what the first poll needs, then collect hints until cancelled."""
        with suppress(*STORE_ERRORS):  # the first poll says why
            rows = (await self.current()).rows
            await self.pipelines(rows[:BATCH])
            self.refresh_summaries(rows)
        self._hints.doubt()  # until now, hints were missed
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

    def summary(self, row: PipelineRow) -> Summary | None:
        """The summary of a pipeline that was read last."""
        return self._summaries.latest(row.head)

    def refresh_summaries(self, rows: Sequence[PipelineRow]) -> None:
        """Read summaries that are due in the background."""
        self._summaries.refresh([row.head for row in rows])

    async def pipelines(self, rows: Sequence[PipelineRow]) -> list[ShownPipeline]:
        """The whole status of pipelines, in the order of the rows, without those that are gone.

        A pipeline is shown as in its row or later. Raises `DatabaseUnavailable`.
        """
        snapshots = await self._current_snapshots(rows)
        summaries = await self._summaries.current([it.row.head for it in snapshots.values()])
        return [
            # of two equal rows, the given one knows better how old the heartbeat is
            ShownPipeline(row if row == it.row else it.row, it.status, summaries[key])
            for row in rows
            if (key := row.head.pipeline_key) in summaries
            for it in [snapshots[key]]
        ]

    async def _current_snapshots(self, rows: Sequence[PipelineRow]) -> dict[int, PipelineSnapshot]:
        found = self._held(rows)
        if len(found) == len(rows):
            return found
        async with self._reading_snapshots:
            found |= self._held(rows)  # read by others meanwhile
            keys = [key for row in rows if (key := row.head.pipeline_key) not in found]
            read_at = asyncio.get_running_loop().time()
            read = await self._reads.snapshots(keys) if keys else []
            self._snapshots |= {it.row.head.pipeline_key: _Read(it, read_at) for it in read}
        return found | {it.row.head.pipeline_key: it for it in read}

    def _held(self, rows: Sequence[PipelineRow]) -> dict[int, PipelineSnapshot]:
        """The snapshots that are fresh and that the rows do not contradict."""
        held = ((row, self._snapshots.get(row.head.pipeline_key)) for row in rows)
        return {
            row.head.pipeline_key: it.snapshot
            for row, it in held
            if it is not None and it.snapshot.row == row and _is_fresh(it.read_at)
        }

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
        if self._hints.in_doubt or not self._hints.have_begun or _age(status) >= FRESH_SECONDS:
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
        held = self._snapshots.items()
        self._snapshots = {key: it for key, it in held if _is_fresh(it.read_at)}
        return self._status


def _age(status: SystemStatus) -> float:
    return asyncio.get_running_loop().time() - status.read_at


def _is_fresh(read_at: float) -> bool:
    return asyncio.get_running_loop().time() - read_at < FRESH_SECONDS
