"""Follow the log from a cursor, without a server: what `raglive tail` shows."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, suppress
from typing import Any

from raglive.bus.messages import Message
from raglive.bus.postgres import PostgresBus
from raglive.store.errors import retry_transient
from raglive.store.log.event_log import EventLog, Head
from raglive_contract.cursor import Cursor, Position, Start
from raglive_contract.errors import ErrorCode, RagliveError

__all__ = ["follow"]

PAGE = 1000  # events
POLL_SECONDS = 0.5
PATIENCE_SECONDS = 60.0
FIRST_PIPELINE_SECONDS = 10.0


async def follow(
    event_log: EventLog,
    bus: PostgresBus,
    cursor: Cursor,
    *,
    pipeline_id: str | None = None,
    until_idle: bool = False,
) -> AsyncGenerator[dict[str, Any]]:
    """Yield durable events after the cursor, each pipeline's in order.

    With `until_idle` it ends when every pipeline has checked its source and has nothing left to do.
    Raises `cursor_expired`, and `unavailable` when the database stays away for a minute.
    """
    loop = asyncio.get_running_loop()
    waited_from = loop.time()
    reached: dict[str, int] | None = None
    async with aclosing(bus.listen()) as messages:
        wake = _Wake(messages)
        try:
            while True:
                wake.event.clear()
                heads = await _heads(event_log, pipeline_id)
                if reached is None:
                    reached = _start(cursor, heads)
                for head in heads:
                    async for event in _read(event_log, head, reached):
                        yield event
                waited = loop.time() - waited_from > FIRST_PIPELINE_SECONDS
                if until_idle and (heads or waited) and await _idle(event_log, reached):
                    return
                with suppress(TimeoutError):
                    async with asyncio.timeout(POLL_SECONDS):
                        await wake.event.wait()
        finally:
            await wake.close()


def _start(cursor: Cursor, heads: list[Head]) -> dict[str, int]:
    epochs = [head.epoch for head in heads]
    reached = {}
    for head in heads:
        start = cursor.resume(head.epoch, epochs)
        if start is Start.UNKNOWN or (isinstance(start, Position) and start.seq > head.seq):
            raise _expired("The cursor is not of this log, which was begun anew since")
        if isinstance(start, Position):
            reached[head.epoch] = start.seq
        else:
            reached[head.epoch] = head.seq if start is Start.NOW else 0
    return reached


async def _read(
    event_log: EventLog, head: Head, reached: dict[str, int]
) -> AsyncGenerator[dict[str, Any]]:
    reached.setdefault(head.epoch, 0)
    while reached[head.epoch] < head.seq:
        page = await retry_transient(
            lambda: event_log.read_after(head, reached[head.epoch], PAGE),
            within_seconds=PATIENCE_SECONDS,
            what="reading the log",
        )
        for logged in page:
            if logged.seq != reached[head.epoch] + 1:
                raise _expired("Events after the cursor are no longer kept")
            yield logged.event
            reached[head.epoch] = logged.seq
        if not page:
            return


def _expired(why: str) -> RagliveError:
    return RagliveError(f"{why}. Start from `-1` or `now`.", code=ErrorCode.CURSOR_EXPIRED)


async def _heads(event_log: EventLog, pipeline_id: str | None) -> list[Head]:
    heads = await retry_transient(
        event_log.heads, within_seconds=PATIENCE_SECONDS, what="reading the log"
    )
    return [head for head in heads if pipeline_id in {None, head.pipeline_id}]


async def _idle(event_log: EventLog, reached: dict[str, int]) -> bool:
    rest = await event_log.unfinished()
    return all(idle and reached.get(epoch, seq) == seq for epoch, (seq, idle) in rest.items())


class _Wake:
    def __init__(self, messages: AsyncIterator[Message]) -> None:
        self.event = asyncio.Event()
        self._task = asyncio.create_task(self._listen(messages))

    async def _listen(self, messages: AsyncIterator[Message]) -> None:
        async for _ in messages:
            self.event.set()

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
