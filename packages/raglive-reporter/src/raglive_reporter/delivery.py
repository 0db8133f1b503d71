"""Delivery: from the outbox to the log, in order, for as long as it takes."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from raglive_contract.errors import ErrorCode, RagliveError
from raglive_reporter.dead_letters import DeadLetters
from raglive_reporter.events import CheckedEvent, EventMaker
from raglive_reporter.latest import LatestProgress
from raglive_reporter.outbox import Outbox, Queued
from raglive_reporter.transport import Batch, Transport
from raglive_reporter.turn import Turn

__all__ = ["USUAL_PACE", "Delivery", "Pace", "Source"]

log = logging.getLogger("raglive_reporter")  # not structlog: the process is somebody else's

MAX_BATCH_EVENTS = 500
MAX_BATCH_BYTES = 1_000_000
PRESUMED_DEAD_SECONDS = 15.0  # without a heartbeat: the server's patience is 20
LONGEST_WISH_SECONDS = 300.0  # of a server, to be left alone

_EVENTS_OWN_FAULT = {
    ErrorCode.INVALID_EVENT,
    ErrorCode.INVALID_REQUEST,
    ErrorCode.PAYLOAD_TOO_LARGE,
    ErrorCode.FORBIDDEN,
}


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds between things."""

    heartbeat: float = 5.0
    progress: float = 0.1
    look: float = 0.2  # for what other processes queued, and whether it is our turn
    first_pause: float = 0.1  # after a failure; doubled after each
    longest_pause: float = 10.0


USUAL_PACE = Pace()


@dataclass(frozen=True, slots=True)
class Source:
    """Where what is sent comes from."""

    outbox: Outbox
    dead_letters: DeadLetters
    latest: LatestProgress
    maker: EventMaker
    heartbeat: Callable[[], CheckedEvent]


class Delivery:
    """Sends for one pipeline; `sent` is called when room was made, `returned` after an outage."""

    def __init__(
        self,
        source: Source,
        transport: Transport,
        turn: Turn,
        pace: Pace,
        *,
        sent: Callable[[], None],
        returned: Callable[[], None],
    ) -> None:
        self._source = source
        self._transport = transport
        self._turn = turn
        self._pace = pace
        self._sent = sent
        self._returned = returned
        self._new = asyncio.Event()
        self._stop = asyncio.Event()
        self._limit = MAX_BATCH_EVENTS
        self._failures = 0
        self._complaint = ""
        self._is_open = False
        self._not_before = self._next_beat = self._next_show = time.monotonic()
        self._last_beat = time.time()

    def wake(self) -> None:
        """Say that there is something to send."""
        self._new.set()

    def stop(self) -> None:
        """Make `run` return; what is on its way may still arrive."""
        self._stop.set()

    async def run(self) -> None:
        """Send until stopped."""
        try:
            while not self._stop.is_set():
                self._new.clear()
                if not await self._patiently(self._step):
                    await self._rest()
        finally:
            self._turn.leave()
            await self._transport.close()

    async def _step(self) -> bool:
        """Send what is due; say whether more durable events may wait."""
        if not self._is_open:
            await self._transport.open()
            self._is_open = True
        now = time.monotonic()
        if now >= min(self._next_show, self._next_beat):
            await self._show(now)  # first, so that a pipeline lives while its events are held up
        return self._turn.take() and await self._publish()

    async def _publish(self) -> bool:
        self._source.dead_letters.revive_wanted()
        events = self._source.outbox.batch(self._limit, MAX_BATCH_BYTES)
        if not events:
            return False
        try:
            await self._until_stopped(self._transport.publish(self._batch(e.body for e in events)))
        except RagliveError as error:
            if error.code not in _EVENTS_OWN_FAULT:
                raise
            self._sort_out(events, error)
        else:
            self._source.outbox.published(events)
            self._limit = min(self._limit * 2, MAX_BATCH_EVENTS)
        self._sent()
        return True

    def _sort_out(self, events: list[Queued], error: RagliveError) -> None:
        """Halve a refused batch until the event that is at fault stands alone."""
        if len(events) == 1 or error.code == ErrorCode.FORBIDDEN:  # of a pipeline, not of an event
            self._source.dead_letters.bury(events, error)
        else:
            self._limit = len(events) // 2

    async def _show(self, now: float) -> None:
        """Send the latest progress of files whose durable events have all arrived."""
        beats = now >= self._next_beat
        latest = self._source.latest
        waiting = self._source.outbox.files_waiting(latest.file_ids())
        progress = latest.take(but=waiting, most=MAX_BATCH_EVENTS - 1)
        events = [event.body for event in progress.values()]
        if beats:
            events.append(self._source.heartbeat().body)
        if not events:
            return
        self._next_show = now + self._pace.progress
        try:
            await self._until_stopped(self._transport.show(self._batch(events)))
        except RagliveError as error:
            if error.code not in _EVENTS_OWN_FAULT:
                latest.give_back(progress)
                raise
            self._complain(error.message)
        if beats:
            self._note_beat(now)

    def _complain(self, message: str) -> None:
        if message != self._complaint:
            self._complaint = message
            log.warning("progress not shown: %s", message)

    def _note_beat(self, now: float) -> None:
        self._next_beat = now + self._pace.heartbeat
        silence, self._last_beat = time.time() - self._last_beat, time.time()
        if silence > PRESUMED_DEAD_SECONDS:
            self._returned()

    async def _patiently(self, step: Callable[[], Awaitable[bool]]) -> bool:
        """Take a step; after one that failed, wait longer before the next."""
        if time.monotonic() < self._not_before:
            return False
        try:
            moved = await step()
        except _Stopped:
            return False
        except RagliveError as error:
            self._hold(error)
            return False
        except Exception:  # a fault of ours must not end the reporting
            log.exception("reporting failed")
            self._hold(None)
            return False
        self._failures = 0
        return moved

    def _hold(self, error: RagliveError | None) -> None:
        pace = self._pace
        pause = min(pace.first_pause * 2 ** min(self._failures, 30), pace.longest_pause)
        pause *= random.uniform(0.5, 1.0)  # noqa: S311 - not a secret
        if error is not None and error.retry_after_ms is not None:
            pause = max(pause, min(error.retry_after_ms / 1000, LONGEST_WISH_SECONDS))
        self._failures += 1
        self._not_before = time.monotonic() + pause
        if error is not None:
            level = logging.WARNING if error.retryable else logging.ERROR
            log.log(level, "events wait %.1f s more: %s", pause, error.message)

    async def _rest(self) -> None:
        """Wait for something to send, no longer than until something is due."""
        now = time.monotonic()
        if now < self._not_before:
            await _first_of(self._not_before - now, self._stop)
            return
        due = self._next_beat
        if self._source.latest.file_ids():
            due = min(due, max(self._next_show, now + 0.01))
        await _first_of(min(due - now, self._pace.look), self._stop, self._new)

    async def _until_stopped(self, sending: Awaitable[None]) -> None:
        task = asyncio.ensure_future(sending)
        stopped = asyncio.create_task(self._stop.wait())
        await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
            raise _Stopped
        await task

    def _batch(self, events: Iterable[bytes]) -> Batch:
        maker = self._source.maker
        return Batch(maker.pipeline_id, maker.pipeline_type, list(events))


class _Stopped(Exception):
    """The reporter was closed while something was on its way."""


async def _first_of(seconds: float, *events: asyncio.Event) -> None:
    """Wait for an event, at most so long."""
    waits = {asyncio.create_task(event.wait()) for event in events}
    try:
        await asyncio.wait(waits, timeout=max(0.0, seconds), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
