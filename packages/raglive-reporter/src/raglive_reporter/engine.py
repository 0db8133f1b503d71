"""What works behind a reporter: the outbox for its callers, delivery in a thread of its own."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar

import psutil

from raglive_contract.errors import RagliveError
from raglive_contract.states import OfflineReason
from raglive_reporter.dead_letters import DeadLetters
from raglive_reporter.delivery import Delivery, Pace, Source
from raglive_reporter.errors import OutboxFull, ReporterError
from raglive_reporter.events import CheckedEvent, EventMaker, now, printable
from raglive_reporter.forks import survive_forks
from raglive_reporter.latest import Attempt, LatestProgress
from raglive_reporter.outbox import Bounds, Outbox
from raglive_reporter.sessions import Session
from raglive_reporter.store import Store
from raglive_reporter.transport import Transport
from raglive_reporter.turn import Turn

__all__ = ["Engine", "OnFull", "Options"]

log = logging.getLogger("raglive_reporter")

OnFull = Literal["block", "raise"]
Result = TypeVar("Result")

LOOK_SECONDS = 0.1
START_SECONDS = 10.0
END_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Options:
    """How a reporter behaves."""

    outbox: str
    watch_location: str = ""
    check_interval: float = 0.0
    bounds: Bounds = field(default_factory=Bounds)
    on_full: OnFull = "block"
    block_seconds: float = 30.0
    pace: Pace = field(default_factory=Pace)


class Engine:
    """One reporter at work; safe to use from any thread, and in a child process after a fork."""

    def __init__(self, maker: EventMaker, transport: Transport, options: Options) -> None:
        self.maker = maker
        self.latest = LatestProgress()
        self._options = options
        self._transport = transport
        self._store = Store(options.outbox)
        self._outbox = Outbox(self._store, maker.pipeline_id, options.bounds)
        self._dead_letters = DeadLetters(self._store, maker.pipeline_id)
        self._turn = Turn(options.outbox, maker.pipeline_id)
        self._session = Session(self._outbox)
        self._changes = threading.Condition()
        self._state = threading.Lock()
        self._wanted = False
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._delivery: Delivery | None = None
        self._started = time.monotonic()
        survive_forks(self)

    def open(self) -> None:
        """Say `pipeline:online` and begin to send; may be called again."""
        with self._state:
            self._wanted = True
            if self._thread is None:
                self._begin()

    def close(self, reason: OfflineReason, timeout: float) -> int:
        """Say `pipeline:offline`, send what waits, and end; return how many events are left."""
        deadline = time.monotonic() + timeout
        with self._state:
            self._wanted = False
            if self._thread is None:
                return 0
            self._say_farewell(reason)
            left = self._flush(deadline)
            self._end()
        if left:
            log.warning(
                "%d events of %s wait in the outbox %s",
                left, self.maker.pipeline_id, self._options.outbox,
            )  # fmt: skip
        return left

    def put(self, event: CheckedEvent) -> None:
        """Queue a durable event. Raises `OutboxFull` when there is no room for too long."""
        self._when_there_is_room(lambda: self._outbox.put(event))

    def put_attempt(
        self, file_id: str, given: int | None, event: Callable[[int], CheckedEvent]
    ) -> int:
        """Queue the start of a file's next attempt; return its number."""
        attempt, _ = self._when_there_is_room(
            lambda: self._outbox.put_attempt(file_id, given, event)
        )
        self.latest.begin((file_id, attempt))
        return attempt

    def show(self, attempt: Attempt, event: CheckedEvent) -> None:
        """Show progress, when its time comes."""
        self._ensure_running()
        self.latest.put(attempt, event)
        self._wake()

    def flush(self, timeout: float) -> int:
        """Wait until all that was queued so far is in the log; return how many events are left."""
        self._ensure_running()
        return self._flush(time.monotonic() + timeout)

    @contextmanager
    def dead_letters(self) -> Iterator[DeadLetters]:
        """Lend the dead letters, of a closed reporter too."""
        with self._state:
            at_rest = self._thread is None
            if at_rest:
                self._store.open()
            try:
                yield self._dead_letters
            finally:
                if at_rest:
                    self._store.close()
        self._wake()

    def _when_there_is_room(self, put: Callable[[], Result]) -> Result:
        self._ensure_running()
        deadline = time.monotonic() + self._options.block_seconds
        while True:
            try:
                found = put()
            except OutboxFull:
                if self._options.on_full == "raise" or time.monotonic() >= deadline:
                    raise
                self._wait_for_change(deadline)
            else:
                self._wake()
                return found

    def _flush(self, deadline: float) -> int:
        last = self._outbox.last_place()
        while (left := self._outbox.waiting(last)) and time.monotonic() < deadline:
            self._wait_for_change(deadline)
        return left

    def _wait_for_change(self, deadline: float) -> None:
        with self._changes:  # by this process; of others' nobody tells
            self._changes.wait(max(0.0, min(LOOK_SECONDS, deadline - time.monotonic())))

    def _note_change(self) -> None:
        with self._changes:
            self._changes.notify_all()

    def _ensure_running(self) -> None:
        if self._thread is not None:
            return
        with self._state:
            if not self._wanted:
                raise ReporterError("The reporter is not open: use it within `with`, or open() it.")
            if self._thread is None:  # in a child process after a fork
                self._begin()

    def _begin(self) -> None:
        self._store.open()
        try:
            self._session.begin(self._online())
        except BaseException:
            self._store.close()
            raise
        ready = threading.Event()
        self._thread = threading.Thread(
            target=self._work, args=(ready,), name=f"reporter {self.maker.pipeline_id}", daemon=True
        )
        self._thread.start()
        ready.wait(START_SECONDS)

    def _end(self) -> None:
        if self._loop is not None and self._delivery is not None:
            _call(self._loop, self._delivery.stop)
        if self._thread is not None:
            self._thread.join(END_SECONDS)
        self._thread = self._loop = self._delivery = None
        self._store.close()

    def _work(self, ready: threading.Event) -> None:
        asyncio.run(self._deliver(ready))

    async def _deliver(self, ready: threading.Event) -> None:
        source = Source(self._outbox, self._dead_letters, self.latest, self.maker, self._heartbeat)
        self._loop = asyncio.get_running_loop()
        self._delivery = Delivery(
            source,
            self._transport,
            self._turn,
            self._options.pace,
            sent=self._note_change,
            returned=self._say_online_again,
        )
        ready.set()
        await self._delivery.run()

    def _wake(self) -> None:
        if self._loop is not None and self._delivery is not None:
            _call(self._loop, self._delivery.wake)

    def _say_online_again(self) -> None:
        """The server may have taken the pipeline for dead meanwhile."""
        try:
            self._outbox.put(self._online())
        except RagliveError as error:
            log.warning("not said to be online again: %s", error.message)

    def _say_farewell(self, reason: OfflineReason) -> None:
        event = self.maker.make("pipeline:offline", shutdown_at=now(), reason=reason)
        try:
            self._session.end(event)
        except RagliveError as error:
            log.warning("not said to be offline: %s", error.message)
        self._wake()

    def _online(self) -> CheckedEvent:
        return self.maker.make(
            "pipeline:online",
            started_at=now(),
            check_interval=self._options.check_interval,
            watch_location=printable(self._options.watch_location),
        )

    def _heartbeat(self) -> CheckedEvent:
        return self.maker.make(
            "heartbeat",
            uptime=round(time.monotonic() - self._started, 3),
            memory_usage=psutil.Process().memory_info().rss,
            active_files=len(self.latest),
        )

    @contextmanager
    def at_rest(self) -> Iterator[None]:
        """Nobody is within the outbox: a child process may be made."""
        with self._store.lock:
            yield

    def begin_anew(self) -> None:
        """Leave to the parent process, after a fork, what is its own."""
        self._store.abandon()
        self._turn.leave()
        self.latest.forget_all()
        self._session = Session(self._outbox)
        self._changes = threading.Condition()
        self._state = threading.Lock()
        self._thread = self._loop = self._delivery = None
        self._started = time.monotonic()


def _call(loop: asyncio.AbstractEventLoop, what: Callable[[], Any]) -> None:
    try:
        loop.call_soon_threadsafe(what)
    except RuntimeError:  # it has ended
        return
