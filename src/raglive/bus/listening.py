"""What listeners of every bus share: the queue of arrivals, and the return after an outage."""

from __future__ import annotations

import asyncio
import random
from collections import deque
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import aclosing

import orjson
import structlog

from raglive.bus.bus import Hint, Live, Message

__all__ = ["Inbox", "listen_again"]

log = structlog.get_logger()

MAX_LIVE_WAITING = 1000
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 2.0


class Inbox:
    """A bounded queue of arrivals: hints are merged, and the oldest live events are dropped.

    A malformed payload is logged and ignored.
    """

    def __init__(self) -> None:
        self.lost = False
        self._hints: dict[int, int] = {}
        self._live: deque[Live] = deque(maxlen=MAX_LIVE_WAITING)
        self._filled = asyncio.Event()

    def add_head(self, payload: str) -> None:
        """Add the hint `KEY:SEQ`."""
        try:
            key, seq = map(int, payload.split(":"))
        except ValueError:
            log.warning("bus_payload_ignored", kind="head")
            return
        self._hints[key] = max(seq, self._hints.get(key, 0))
        self._filled.set()

    def add_live(self, payload: str | bytes) -> None:
        """Add a JSON array of events."""
        try:
            events = orjson.loads(payload)
        except ValueError:
            events = None
        if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
            log.warning("bus_payload_ignored", kind="live")
            return
        self._live.append(Live(events))
        self._filled.set()

    def lose(self) -> None:
        """Note that the connection has ended."""
        self.lost = True
        self._filled.set()

    def drain(self) -> Iterator[Message]:
        """Yield what has arrived."""
        self._filled.clear()
        hints, self._hints = self._hints, {}
        yield from (Hint(key, seq) for key, seq in hints.items())
        while self._live:
            yield self._live.popleft()

    async def filled(self, within_seconds: float) -> bool:
        """Wait until something arrives or the connection ends."""
        try:
            async with asyncio.timeout(within_seconds):
                await self._filled.wait()
        except TimeoutError:
            return False
        return True


async def listen_again(
    listen: Callable[[], AsyncGenerator[Message, None]],
    outage: tuple[type[Exception], ...],
    carrier: str,
    on_lost: Callable[[], None],
) -> AsyncGenerator[Message, None]:
    """Yield from `listen()` without end; after an outage call it again, with growing pauses."""
    pause = FIRST_PAUSE_SECONDS
    while True:
        try:
            async with aclosing(listen()) as messages:
                async for message in messages:
                    pause = FIRST_PAUSE_SECONDS
                    yield message
        except outage as error:
            on_lost()
            log.warning(
                "bus_lost", carrier=carrier, error=type(error).__name__, retry_in_seconds=pause
            )
        await asyncio.sleep(pause * random.uniform(0.75, 1.25))  # noqa: S311 - not a secret
        pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
