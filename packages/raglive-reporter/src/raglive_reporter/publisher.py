"""The publisher behind a reporter: callers write to the outbox, a background thread delivers."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Literal, TypeVar

import psutil

from raglive_contract.errors import RagliveError
from raglive_contract.model import now
from raglive_contract.states import OfflineReason
from raglive_reporter.dead_letters import DeadLetters
from raglive_reporter.delivery import DeliveryIntervals, DeliveryLoop, DeliverySource
from raglive_reporter.errors import OutboxFull, ReporterError
from raglive_reporter.events import EventFactory, ValidatedEvent, storable_text
from raglive_reporter.outbox import EventOutbox, OutboxLimits
from raglive_reporter.outbox_file import OutboxFile
from raglive_reporter.processes import ProcessRegistry, register_fork_handler
from raglive_reporter.progress import AttemptKey, LatestProgress
from raglive_reporter.send_lock import SendLock
from raglive_reporter.transport import Transport

__all__ = ["BackgroundPublisher", "OnFull", "PublisherOptions"]

log = logging.getLogger("raglive_reporter")

OnFull = Literal["block", "raise"]
Result = TypeVar("Result")

POLL_SECONDS = 0.1
START_SECONDS = 10.0
STOP_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class PublisherOptions:
    """Settings of a publisher; `outbox` is the path of the outbox file."""

    outbox: str
    watch_location: str = ""
    check_interval: float = 0.0
    limits: OutboxLimits = field(default_factory=OutboxLimits)
    on_full: OnFull = "block"
    block_seconds: float = 30.0
    intervals: DeliveryIntervals = field(default_factory=DeliveryIntervals)


class BackgroundPublisher:
    """Queues and delivers the events of one pipeline; thread-safe, and usable after a fork."""

    def __init__(
        self, factory: EventFactory, transport: Transport, options: PublisherOptions
    ) -> None:
        self.factory = factory
        self.progress = LatestProgress()
        self._options = options
        self._transport = transport
        self._file = OutboxFile(options.outbox)
        self._outbox = EventOutbox(self._file, factory.pipeline_id, options.limits)
        self._dead_letters = DeadLetters(self._file, factory.pipeline_id)
        self._send_lock = SendLock(options.outbox, factory.pipeline_id)
        self._is_wanted = False
        self._reset()
        register_fork_handler(self)

    def _reset(self) -> None:
        self._registry = ProcessRegistry(self._outbox)
        self._sent = threading.Condition()
        self._state_lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._delivery: DeliveryLoop | None = None
        self._started = time.monotonic()

    def open(self) -> None:
        """Queue `pipeline:online` and start delivery; idempotent."""
        with self._state_lock:
            self._is_wanted = True
            if self._thread is None:
                self._start()

    def close(self, reason: OfflineReason, timeout: float) -> int:
        """Queue `pipeline:offline`, deliver for up to `timeout` seconds, and stop.

        Returns the number of events that are still in the outbox.
        """
        deadline = time.monotonic() + timeout
        with self._state_lock:
            self._is_wanted = False
            if self._thread is None:
                return 0
            self._queue_offline(reason)
            left = self._flush(deadline)
            self._stop()
        if left:
            log.warning(
                "%d events of %s wait in the outbox %s",
                left, self.factory.pipeline_id, self._options.outbox,
            )  # fmt: skip
        return left

    def put(self, event: ValidatedEvent) -> None:
        """Queue a durable event. Raises `OutboxFull` after `block_seconds` without room."""
        self._when_there_is_room(lambda: self._outbox.put(event))

    def put_attempt(
        self, file_id: str, given: int | None, create: Callable[[int], ValidatedEvent]
    ) -> int:
        """Queue the start of a file's next attempt, and return its number."""
        attempt, _ = self._when_there_is_room(
            lambda: self._outbox.put_attempt(file_id, given, create)
        )
        self.progress.start((file_id, attempt))
        return attempt

    def show(self, attempt: AttemptKey, event: ValidatedEvent) -> None:
        """Replace the progress that is sent next for an attempt."""
        self._ensure_running()
        self.progress.put(attempt, event)
        self._wake()

    def flush(self, timeout: float) -> int:
        """Wait until all events queued so far are published; return how many are not."""
        self._ensure_running()
        return self._flush(time.monotonic() + timeout)

    @contextmanager
    def dead_letters(self) -> Iterator[DeadLetters]:
        """Yield the dead letters; works while the publisher is closed too."""
        with self._state_lock:
            is_closed = self._thread is None
            if is_closed:
                self._file.open()
            try:
                yield self._dead_letters
            finally:
                if is_closed:
                    self._file.close()
        self._wake()

    def _when_there_is_room(self, put: Callable[[], Result]) -> Result:
        self._ensure_running()
        deadline = time.monotonic() + self._options.block_seconds
        while True:
            try:
                result = put()
            except OutboxFull:
                if self._options.on_full == "raise" or time.monotonic() >= deadline:
                    raise
                self._wait_until_sent(deadline)
            else:
                self._wake()
                return result

    def _flush(self, deadline: float) -> int:
        last = self._outbox.last_position()
        while (left := self._outbox.waiting(last)) and time.monotonic() < deadline:
            self._wait_until_sent(deadline)
        return left

    def _wait_until_sent(self, deadline: float) -> None:
        with self._sent:  # other processes that send are noticed by polling
            self._sent.wait(max(0.0, min(POLL_SECONDS, deadline - time.monotonic())))

    def _notify_sent(self) -> None:
        with self._sent:
            self._sent.notify_all()

    def _ensure_running(self) -> None:
        if self._thread is not None:
            return
        with self._state_lock:
            if not self._is_wanted:
                raise ReporterError("The reporter is not open: use it within `with`, or open() it.")
            if self._thread is None:  # in a child process after a fork
                self._start()

    def _start(self) -> None:
        self._file.open()
        try:
            self._registry.register(self._online())
        except BaseException:
            self._file.close()
            raise
        ready = threading.Event()
        self._thread = threading.Thread(
            target=self._run_delivery,
            args=(ready,),
            name=f"reporter {self.factory.pipeline_id}",
            daemon=True,
        )
        self._thread.start()
        ready.wait(START_SECONDS)

    def _stop(self) -> None:
        if self._delivery is not None:
            self._call_in_loop(self._delivery.stop)
        if self._thread is not None:
            self._thread.join(STOP_SECONDS)
        self._thread = self._loop = self._delivery = None
        self._file.close()

    def _run_delivery(self, ready: threading.Event) -> None:
        asyncio.run(self._deliver(ready))

    async def _deliver(self, ready: threading.Event) -> None:
        self._loop = asyncio.get_running_loop()
        self._delivery = DeliveryLoop(
            DeliverySource(
                self._outbox, self._dead_letters, self.progress, self.factory, self._heartbeat
            ),
            self._transport,
            self._send_lock,
            self._options.intervals,
            on_sent=self._notify_sent,
            on_reconnected=self._queue_online,
        )
        ready.set()
        await self._delivery.run()

    def _wake(self) -> None:
        if self._delivery is not None:
            self._call_in_loop(self._delivery.wake)

    def _call_in_loop(self, callback: Callable[[], None]) -> None:
        if self._loop is None:
            return
        try:
            self._loop.call_soon_threadsafe(callback)
        except RuntimeError:  # the loop is closed
            return

    def _queue_online(self) -> None:
        try:
            self._outbox.put(self._online())
        except RagliveError as error:
            log.warning("pipeline:online is not reported: %s", error.message)

    def _queue_offline(self, reason: OfflineReason) -> None:
        event = self.factory.create("pipeline:offline", shutdown_at=now(), reason=reason)
        try:
            self._registry.unregister(event)
        except RagliveError as error:
            log.warning("pipeline:offline is not reported: %s", error.message)
        self._wake()

    def _online(self) -> ValidatedEvent:
        return self.factory.create(
            "pipeline:online",
            started_at=now(),
            check_interval=self._options.check_interval,
            watch_location=storable_text(self._options.watch_location),
        )

    def _heartbeat(self) -> ValidatedEvent:
        return self.factory.create(
            "heartbeat",
            uptime=round(time.monotonic() - self._started, 3),
            memory_usage=psutil.Process().memory_info().rss,
            active_files=len(self.progress),
        )

    @contextmanager
    def quiesced(self) -> Iterator[None]:
        """Hold the outbox's lock during a fork, so that no thread is inside the outbox."""
        with self._file.lock:
            yield

    def reset_after_fork(self) -> None:
        """Drop what belongs to the parent process; the child starts at its first call."""
        self._file.abandon()
        self._send_lock.release()
        self.progress.reset()
        self._reset()
