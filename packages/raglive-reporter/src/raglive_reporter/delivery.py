"""The delivery loop: sends events from the outbox in order, and retries until they arrive."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from raglive_contract.errors import ErrorCode, RagliveError
from raglive_reporter.dead_letters import DeadLetters
from raglive_reporter.events import EventFactory, ValidatedEvent
from raglive_reporter.outbox import EventOutbox, QueuedEvent
from raglive_reporter.progress import LatestProgress
from raglive_reporter.send_lock import SendLock
from raglive_reporter.transport import Batch, Transport

__all__ = ["DEFAULT_INTERVALS", "DeliveryIntervals", "DeliveryLoop", "DeliverySource"]

log = logging.getLogger("raglive_reporter")  # plain logging: the process is the caller's

MAX_BATCH_EVENTS = 500
MAX_BATCH_BYTES = 1_000_000
OFFLINE_AFTER_SECONDS = 15.0  # without a heartbeat; the server declares it offline after 20
MAX_RETRY_AFTER_SECONDS = 300.0  # upper bound for what a server asks

_REFUSED_FOR_ALL = {ErrorCode.FORBIDDEN, ErrorCode.PIPELINE_MANAGED}  # events of the pipeline
_REFUSED = {
    ErrorCode.INVALID_EVENT,
    ErrorCode.INVALID_REQUEST,
    ErrorCode.PAYLOAD_TOO_LARGE,
    *_REFUSED_FOR_ALL,
}


@dataclass(frozen=True, slots=True)
class DeliveryIntervals:
    """Intervals of delivery, in seconds."""

    heartbeat: float = 5.0
    progress: float = 0.1
    poll: float = 0.2  # for events of other processes, and for the send lock
    first_retry: float = 0.1  # doubled after each further failure
    max_retry: float = 10.0


DEFAULT_INTERVALS = DeliveryIntervals()


@dataclass(frozen=True, slots=True)
class DeliverySource:
    """Where the delivery loop takes events from."""

    outbox: EventOutbox
    dead_letters: DeadLetters
    progress: LatestProgress
    factory: EventFactory
    heartbeat: Callable[[], ValidatedEvent]


class DeliveryLoop:
    """Sends the events of one pipeline.

    `on_sent` is called when the outbox has shrunk, `on_reconnected` after an outage so long that
    the server has declared the pipeline offline.
    """

    def __init__(
        self,
        source: DeliverySource,
        transport: Transport,
        send_lock: SendLock,
        intervals: DeliveryIntervals,
        *,
        on_sent: Callable[[], None],
        on_reconnected: Callable[[], None],
    ) -> None:
        self._source = source
        self._transport = transport
        self._send_lock = send_lock
        self._intervals = intervals
        self._on_sent = on_sent
        self._on_reconnected = on_reconnected
        self._new = asyncio.Event()
        self._stop = asyncio.Event()
        self._batch_limit = MAX_BATCH_EVENTS
        self._failures = 0
        self._last_warning = ""
        self._is_open = False
        self._retry_at = self._heartbeat_at = self._progress_at = time.monotonic()
        self._last_heartbeat = time.time()

    def wake(self) -> None:
        """Look for new events now."""
        self._new.set()

    def stop(self) -> None:
        """Make `run` return; a batch that is being sent may still arrive."""
        self._stop.set()

    async def run(self) -> None:
        """Send until stopped."""
        try:
            while not self._stop.is_set():
                self._new.clear()
                if not await self._step_unless_backing_off():
                    await self._wait()
        finally:
            self._send_lock.release()
            await self._transport.close()

    async def _step(self) -> bool:
        """Send what is due; return whether more durable events may be waiting."""
        if not self._is_open:
            await self._transport.open()
            self._is_open = True
        now = time.monotonic()
        if now >= min(self._progress_at, self._heartbeat_at):
            await self._show(now)  # first, so that the pipeline stays online in a backlog
        return self._send_lock.acquire() and await self._publish()

    async def _publish(self) -> bool:
        self._source.dead_letters.requeue_requested()
        events = self._source.outbox.batch(self._batch_limit, MAX_BATCH_BYTES)
        if not events:
            return False
        try:
            await self._until_stopped(self._transport.publish(self._batch(e.body for e in events)))
        except RagliveError as error:
            if error.code not in _REFUSED:
                raise
            self._bisect(events, error)
        else:
            self._source.outbox.remove_published(events)
            self._batch_limit = min(self._batch_limit * 2, MAX_BATCH_EVENTS)
        self._on_sent()
        return True

    def _bisect(self, events: list[QueuedEvent], error: RagliveError) -> None:
        """Halve a refused batch until the invalid event is alone; then make it a dead letter."""
        if len(events) == 1 or error.code in _REFUSED_FOR_ALL:
            self._source.dead_letters.add(events, error)
        else:
            self._batch_limit = len(events) // 2

    async def _show(self, now: float) -> None:
        """Send the latest progress of files that have no durable event waiting, and a heartbeat."""
        is_heartbeat_due = now >= self._heartbeat_at
        latest = self._source.progress
        waiting = self._source.outbox.files_with_events(latest.file_ids())
        progress = latest.take(excluded=waiting, limit=MAX_BATCH_EVENTS - 1)
        events = [event.body for event in progress.values()]
        if is_heartbeat_due:
            events.append(self._source.heartbeat().body)
        if not events:
            return
        self._progress_at = now + self._intervals.progress
        try:
            await self._until_stopped(self._transport.show(self._batch(events)))
        except RagliveError as error:
            if error.code not in _REFUSED:
                latest.put_back(progress)
                raise
            self._warn_once(error.message)
        if is_heartbeat_due:
            self._note_heartbeat(now)

    def _warn_once(self, message: str) -> None:
        if message != self._last_warning:
            self._last_warning = message
            log.warning("progress not shown: %s", message)

    def _note_heartbeat(self, now: float) -> None:
        self._heartbeat_at = now + self._intervals.heartbeat
        since_last, self._last_heartbeat = time.time() - self._last_heartbeat, time.time()
        if since_last > OFFLINE_AFTER_SECONDS:
            self._on_reconnected()

    async def _step_unless_backing_off(self) -> bool:
        if time.monotonic() < self._retry_at:
            return False
        try:
            more = await self._step()
        except _StoppedWhileSending:
            return False
        except RagliveError as error:
            self._back_off(error)
            return False
        except Exception:  # a fault of the reporter must not end the reporting
            log.exception("delivery failed")
            self._back_off(None)
            return False
        self._failures = 0
        return more

    def _back_off(self, error: RagliveError | None) -> None:
        """Delay the next step: exponentially with jitter, and never less than the server asks."""
        intervals = self._intervals
        delay = min(intervals.first_retry * 2 ** min(self._failures, 30), intervals.max_retry)
        delay *= random.uniform(0.5, 1.0)  # noqa: S311 - not a secret
        if error is not None and error.retry_after_ms is not None:
            delay = max(delay, min(error.retry_after_ms / 1000, MAX_RETRY_AFTER_SECONDS))
        self._failures += 1
        self._retry_at = time.monotonic() + delay
        if error is not None:
            level = logging.WARNING if error.retryable else logging.ERROR
            log.log(level, "events wait, next try in %.1f s: %s", delay, error.message)

    async def _wait(self) -> None:
        """Wait for a new event, a stop, or the time when something is due."""
        now = time.monotonic()
        if now < self._retry_at:
            await _wait_for_any(self._retry_at - now, self._stop)
            return
        due = self._heartbeat_at
        if self._source.progress.file_ids():
            due = min(due, max(self._progress_at, now + 0.01))
        await _wait_for_any(min(due - now, self._intervals.poll), self._stop, self._new)

    async def _until_stopped(self, sending: Awaitable[None]) -> None:
        task = asyncio.ensure_future(sending)
        stopped = asyncio.create_task(self._stop.wait())
        await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        if not task.done():
            task.cancel()
            await asyncio.wait({task})
            raise _StoppedWhileSending
        await task

    def _batch(self, events: Iterable[bytes]) -> Batch:
        factory = self._source.factory
        return Batch(factory.pipeline_id, factory.pipeline_type, list(events))


class _StoppedWhileSending(Exception):
    """The reporter was closed while a batch was being sent."""


async def _wait_for_any(seconds: float, *events: asyncio.Event) -> None:
    """Wait until one of the events is set, `seconds` at most."""
    waits = {asyncio.create_task(event.wait()) for event in events}
    try:
        await asyncio.wait(waits, timeout=max(0.0, seconds), return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
