"""A bounded, thread-safe queue that merges notifications until the watcher takes them."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from enum import Enum
from typing import NamedTuple

__all__ = ["NotificationQueue", "Notifications", "Writing"]

# Long enough to merge a burst, and for a closed file to become older than the clock's resolution.
SOON_SECONDS = 0.012
LATER_SECONDS = 0.05
MAX_LOCATIONS = 20_000  # with more, the whole folder is checked


class Writing(Enum):
    """What a notification says about writing to a file."""

    CREATED = "created"
    WRITTEN = "written"  # the system reports it once the last writer closes the file
    CLOSED = "closed"


class Notifications(NamedTuple):
    """Changed locations, each with its last notification of writing, or why to check everything."""

    places: dict[str, Writing | None]
    everything: str | None


class NotificationQueue:
    """Collects notifications for one event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._places: dict[str, Writing | None] = {}
        self._everything: str | None = None
        self._wake_at = float("inf")
        self._timer: asyncio.TimerHandle | None = None
        self._woken = asyncio.Event()

    def add(self, place: str, writing: Writing | None = None, *, soon: bool = True) -> None:
        """Report a possible change at a location, and what is known about its writer."""
        with self._lock:
            if self._everything is None:
                known = self._places.get(place)
                self._places[place] = known if writing is None else writing
                if len(self._places) > MAX_LOCATIONS:
                    self._everything = "too many notifications"
                    self._places = {}
            self._wake_after(SOON_SECONDS if soon else LATER_SECONDS)

    def check_everything(self, why: str) -> None:
        """Request a full check, because any location may have changed."""
        with self._lock:
            self._everything = why
            self._places = {}
            self._wake_after(SOON_SECONDS)

    def take(self) -> Notifications:
        """Return and remove all notifications."""
        with self._lock:
            taken = Notifications(self._places, self._everything)
            self._places, self._everything, self._wake_at = {}, None, float("inf")
        self._woken.clear()
        return taken

    async def wait(self, timeout_seconds: float) -> None:
        """Wait for notifications, at most for the time-out."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                await self._woken.wait()

    def _wake_after(self, seconds: float) -> None:
        at = time.monotonic() + seconds
        if at < self._wake_at:
            self._wake_at = at
            with contextlib.suppress(RuntimeError):  # the loop is closed
                self._loop.call_soon_threadsafe(self._set_timer, seconds)

    def _set_timer(self, seconds: float) -> None:
        if self._timer is not None and not self._timer.cancelled():
            at = min(self._timer.when(), self._loop.time() + seconds)
            self._timer.cancel()
        else:
            at = self._loop.time() + seconds
        self._timer = self._loop.call_at(at, self._wake)

    def _wake(self) -> None:
        self._timer = None
        self._woken.set()
