"""Follows the logs of all pipelines: each is read once, from where it was read to."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from typing import Generic, TypeVar

import structlog

from raglive.log_reader.followed_log import (
    DigestMismatch,
    FollowedLog,
    LogBroken,
    LogCut,
    LogReplaced,
)
from raglive.log_reader.hints import HeadHints
from raglive.store.errors import DATABASE_ERRORS
from raglive.store.log.event_log import EventLog, Head, LoggedEvent
from raglive.store.log.pipeline_status import read_within
from raglive_contract.errors import ErrorCode, RagliveError

__all__ = ["LogReader"]

log = structlog.get_logger()

PAGE = 1000  # events read at once
READ_TIMEOUT_SECONDS = 10.0
LONGEST_PAUSE_SECONDS = 2.0

Log = TypeVar("Log", bound=FollowedLog)


class LogReader(Generic[Log]):
    """Reads every log on while `run` runs: on a hint at once, otherwise every `poll_seconds`.

    `begin` creates the log of a new head, or of one that replaces an earlier log. `end` is called
    for each log that is no longer followed, with the reason: None if its pipeline was removed. With
    `pipeline_id`, only the logs of that pipeline are followed.
    """

    def __init__(
        self,
        event_log: EventLog,
        hints: HeadHints,
        begin: Callable[[Head], Log],
        end: Callable[[Log, LogBroken | None], None],
        *,
        pipeline_id: str | None = None,
        poll_seconds: float = 0.25,
    ) -> None:
        self._event_log = event_log
        self._hints = hints
        self._begin = begin
        self._end = end
        self._pipeline_id = pipeline_id
        self._poll_seconds = poll_seconds
        self._logs: dict[int, Log] = {}
        self._by_id: dict[str, Log] = {}
        self._restored: dict[int, Head] = {}
        self._reading_heads = asyncio.Lock()
        self._head_reads = 0
        self._current_at = float("-inf")
        self._tried_at = float("-inf")
        self.gaps = 0
        self.digest_mismatches = 0

    @property
    def lag_seconds(self) -> float:
        """The age of the last complete read of every log; infinite before the first."""
        return asyncio.get_running_loop().time() - self._current_at

    @property
    def idle_seconds(self) -> float:
        """The time since the reader last tried to read, with success or without."""
        return asyncio.get_running_loop().time() - self._tried_at

    def logs(self) -> list[Log]:
        """List the logs that are followed."""
        return list(self._logs.values())

    def ids(self) -> AbstractSet[str]:
        """List the ids of the pipelines whose logs are followed."""
        return self._by_id.keys()

    def known(self, pipeline_id: str) -> Log | None:
        """Look up a log without asking the database."""
        return self._by_id.get(pipeline_id)

    async def find(self, pipeline_id: str) -> Log | None:
        """Look up a log; the heads are read before a pipeline is reported as missing."""
        if pipeline_id not in self._by_id:
            await self.read_all()
        return self._by_id.get(pipeline_id)

    async def run(self) -> None:
        """Follow the logs until cancelled; outages of the database are survived."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._hints.listen(), name="log-hints")
            tasks.create_task(self._follow(), name="log-follow")

    @asynccontextmanager
    async def hold(self, pipeline_id: str) -> AsyncIterator[Log]:
        """Hold a log where it is.

        Raises `not_found` for a pipeline that does not exist, and `unavailable` when the log turns
        out to have been replaced.
        """
        followed = await self.find(pipeline_id)
        if followed is None:
            raise RagliveError(f"There is no pipeline {pipeline_id}.", code=ErrorCode.NOT_FOUND)
        async with followed.lock:
            try:
                if self._by_id.get(pipeline_id) is not followed:
                    raise LogReplaced("another log has taken its place")
                yield followed
            except LogBroken as broken:
                self._drop(followed, broken)
                raise RagliveError(
                    "The pipeline's log was replaced just now. Try again.",
                    code=ErrorCode.UNAVAILABLE,
                    retryable=True,
                    retry_after_ms=1000,
                ) from broken

    async def read_all(self) -> None:
        """Read every head, and each log to its end; concurrent callers share one reading."""
        before = self._head_reads
        async with self._reading_heads:
            if self._head_reads == before:
                self._head_reads += 1
                await self._read_heads()
        for followed in self.logs():
            await self.read(followed.head.pipeline_key, followed.head.seq)

    async def _read_heads(self) -> None:
        await self._begin_epochs()
        reached = {key: followed.seq for key, followed in self._logs.items()}
        heads = await self._heads()
        ids = {head.pipeline_id for head in heads}
        for gone in reached.keys() - {head.pipeline_key for head in heads}:
            if (followed := self._logs.get(gone)) is not None:
                is_replaced = followed.head.pipeline_id in ids
                why = LogReplaced("the pipeline was created again") if is_replaced else None
                self._forget(followed, why)
        for head in heads:
            self._take_head(head, reached.get(head.pipeline_key, 0))
        if self._restored:
            await self._begin_epochs()
            for head in await self._heads():
                self._take_head(head, 0)

    async def _begin_epochs(self) -> None:
        """Give restored logs another epoch: cursors of lost events must not continue in them."""
        for key, head in list(self._restored.items()):
            await read_within(READ_TIMEOUT_SECONDS, self._event_log.begin_epoch(head))
            del self._restored[key]

    async def read(self, pipeline_key: int, seq: int) -> None:
        """Read a log to its end if it is known only to before `seq`."""
        followed = self._logs.get(pipeline_key)
        if followed is None:
            self._hints.doubt()
            return
        if followed.seq >= seq:
            return
        async with followed.lock:
            if self._logs.get(pipeline_key) is not followed:
                return
            try:
                await self.read_on(followed)
            except LogBroken as broken:
                self._drop(followed, broken)

    async def read_on(self, followed: Log, up_to: int | None = None) -> None:
        """Read a held log to its end, or to exactly `up_to`; raise `LogBroken` if that fails."""
        while limit := PAGE if up_to is None else min(PAGE, up_to - followed.seq):
            events = await self.page(followed, followed.seq, limit)
            found = len(events)
            await followed.advance(events)
            if found < limit:
                break
        if up_to is not None and followed.seq != up_to:
            raise LogBroken(f"it ends at {followed.seq} and not at {up_to}")

    async def page(self, followed: Log, seq: int, limit: int = PAGE) -> list[LoggedEvent]:
        """Read events after `seq` without moving the log; at most `limit`."""
        return await read_within(
            READ_TIMEOUT_SECONDS, self._event_log.read_after(followed.head, seq, limit)
        )

    async def _heads(self) -> list[Head]:
        heads = await read_within(READ_TIMEOUT_SECONDS, self._event_log.heads())
        return [head for head in heads if self._pipeline_id in {None, head.pipeline_id}]

    async def _follow(self) -> None:
        """Read what hints name, and all heads every `poll_seconds`; back off during an outage."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        pause = self._poll_seconds
        while True:
            self._tried_at = loop.time()
            try:
                for key, seq in self._hints.take().items():
                    await self.read(key, seq)
                if loop.time() >= due or self._hints.in_doubt:
                    self._hints.in_doubt = False
                    begun_at = loop.time()
                    due = begun_at + self._poll_seconds
                    await self.read_all()
                    self._current_at = begun_at
                pause = self._poll_seconds
            except (RagliveError, *DATABASE_ERRORS) as error:  # type: ignore[misc]  # a flat tuple
                self._hints.in_doubt = True
                log.warning(
                    "log_unreadable",
                    error=type(error).__name__,
                    lag_seconds=self.lag_seconds,
                    retry_in_seconds=pause,
                )
                await asyncio.sleep(pause * random.uniform(0.75, 1.25))  # noqa: S311 - no secret
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
                continue
            await self._hints.wait(due - loop.time())

    def _take_head(self, head: Head, reached: int) -> None:
        """Begin the log of a new head; replace a log that was cut back or has another epoch."""
        followed = self._logs.get(head.pipeline_key)
        if followed is not None:
            if followed.head.epoch == head.epoch and head.seq >= reached:
                followed.head = head
                return
            if followed.head.epoch == head.epoch:
                self._drop(followed, LogCut(f"the head is {head.position}"))
                return
            self._drop(followed, LogReplaced(f"the head is {head.position}"))
        followed = self._begin(head)
        self._logs[head.pipeline_key] = followed
        self._by_id[head.pipeline_id] = followed

    def _drop(self, followed: Log, broken: LogBroken) -> None:
        """Stop following a log that does not continue; the next reading of the heads begins it."""
        if isinstance(broken, DigestMismatch):
            self.digest_mismatches += 1
        else:
            self.gaps += 1
        log.error("log_broken", pipeline=followed.head.pipeline_id, reason=str(broken))
        if isinstance(broken, LogCut | DigestMismatch):
            self._restored[followed.head.pipeline_key] = followed.head
        self._forget(followed, broken)
        self._hints.doubt()

    def _forget(self, followed: Log, why: LogBroken | None) -> None:
        head = followed.head
        if self._by_id.get(head.pipeline_id) is followed:
            del self._by_id[head.pipeline_id]
        if self._logs.get(head.pipeline_key) is followed:
            del self._logs[head.pipeline_key]
            self._end(followed, why)
