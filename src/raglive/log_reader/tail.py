"""The log as one stream of events from a cursor: what `raglive tail` prints."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence

from raglive.bus.bus import Bus
from raglive.log_reader.followed_log import FollowedLog, LogBroken, LogReplaced
from raglive.log_reader.hints import HeadHints
from raglive.log_reader.reader import LogReader
from raglive.store.errors import DatabaseUnavailable, retry_transient
from raglive.store.log.event_log import EventLog, Head, LoggedEvent
from raglive_contract.cursor import Cursor, CursorExpired, Expiry, resume
from raglive_contract.errors import RagliveError
from raglive_contract.wire import WireDurableEvent

__all__ = ["tail_log"]

CHECK_SECONDS = 0.25
OUTAGE_SECONDS = 60.0
FIRST_PIPELINE_SECONDS = 10.0


async def tail_log(
    event_log: EventLog,
    bus: Bus,
    cursor: Cursor,
    *,
    pipeline_id: str | None = None,
    until_idle: bool = False,
) -> AsyncGenerator[WireDurableEvent]:
    """Yield the durable events after a cursor, those of each pipeline in order.

    With `until_idle` it ends when every pipeline has checked its source and has nothing left to do.
    Raises `cursor_expired`, and `unavailable` after an outage of the database of a minute.
    """
    heads = await retry_transient(
        event_log.heads, within_seconds=OUTAGE_SECONDS, what="reading the log"
    )
    asked = [head for head in heads if pipeline_id in {None, head.pipeline_id}]
    stream = _Stream(_starts(cursor, asked))
    reader = LogReader(event_log, HeadHints(bus), stream.begin, stream.end, pipeline_id=pipeline_id)
    following = asyncio.create_task(reader.run(), name="tail-reader")
    try:
        async for event in _events(stream, reader, event_log, until_idle=until_idle):
            yield event
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)


async def _events(
    stream: _Stream, reader: LogReader[_TailedLog], event_log: EventLog, *, until_idle: bool
) -> AsyncGenerator[WireDurableEvent]:
    loop = asyncio.get_running_loop()
    heard_at = started_at = loop.time()
    while True:
        page = await stream.next_page(CHECK_SECONDS)
        for logged in page:
            yield logged.event
        if page or reader.lag_seconds < CHECK_SECONDS * 2:
            heard_at = loop.time()
        elif loop.time() - heard_at > OUTAGE_SECONDS:
            raise DatabaseUnavailable(
                f"The database did not answer for {OUTAGE_SECONDS:.0f} s while reading the log."
            )
        has_waited = loop.time() - started_at > FIRST_PIPELINE_SECONDS
        has_read = reader.lag_seconds < float("inf") and (reader.logs() or has_waited)
        if until_idle and not page and has_read:
            is_idle = await _is_idle(event_log, reader)
            if is_idle and stream.is_consumed:
                return


def _starts(cursor: Cursor, heads: Sequence[Head]) -> dict[str, int]:
    """Interpret the cursor for each log; raise `cursor_expired` if one cannot be resumed."""
    epochs = [head.epoch for head in heads]
    starts = {}
    for head in heads:
        outcome = resume(cursor, head.range, epochs)
        if isinstance(outcome, CursorExpired):
            raise outcome.error()
        starts[head.epoch] = outcome.seq
    return starts


async def _is_idle(event_log: EventLog, reader: LogReader[_TailedLog]) -> bool:
    reached = {followed.head.epoch: followed.seq for followed in reader.logs()}
    unfinished = await retry_transient(
        event_log.unfinished, within_seconds=OUTAGE_SECONDS, what="reading the log"
    )
    return all(
        is_idle and reached.get(epoch, seq) == seq for epoch, (seq, is_idle) in unfinished.items()
    )


class _TailedLog(FollowedLog):
    def __init__(self, head: Head, seq: int, pages: asyncio.Queue[list[LoggedEvent]]) -> None:
        super().__init__(head, seq, None)
        self._pages = pages

    async def advance(self, events: list[LoggedEvent]) -> None:
        """Accept the events before a gap too, so that they are printed before the error."""
        expected = range(self.seq + 1, self.seq + 1 + len(events))
        follow = [one.seq == seq for one, seq in zip(events, expected, strict=True)]
        end = len(events) if all(follow) else follow.index(False)
        for page in filter(None, (events[:end], events[end:])):
            self.accept(page)
            await self._pages.put(page)


class _Stream:
    """The pages of all followed logs; reading waits while one is not consumed yet."""

    def __init__(self, starts: dict[str, int]) -> None:
        self._starts = starts
        self._pages: asyncio.Queue[list[LoggedEvent]] = asyncio.Queue(maxsize=1)
        self._failure: RagliveError | None = None

    @property
    def is_consumed(self) -> bool:
        return self._pages.empty()

    def begin(self, head: Head) -> _TailedLog:
        """Start at the cursor's position, or at the beginning of a log that is new."""
        start = self._starts.pop(head.epoch, head.seq if self._failure else 0)
        return _TailedLog(head, start, self._pages)

    def end(self, _followed: _TailedLog, why: LogBroken | None) -> None:
        """Fail the stream if events are missing; a log that replaces another is read instead."""
        if why is not None and not isinstance(why, LogReplaced):
            self._failure = CursorExpired(Expiry.TOO_OLD).error()

    async def next_page(self, within_seconds: float) -> list[LoggedEvent]:
        """Wait for a page; none after `within_seconds`. Raises `cursor_expired` after a gap."""
        try:
            async with asyncio.timeout(within_seconds):
                return await self._pages.get()
        except TimeoutError:
            if self._failure is not None:
                raise self._failure from None
            return []
