"""Where hints are gathered until the watcher takes them: from any thread, bounded, merged."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from typing import NamedTuple

__all__ = ["Inbox", "Taken"]

# Time for a burst to gather, and for a closed file's date to become older than a tick of its clock.
SOON_SECONDS = 0.012
LATER_SECONDS = 0.05
CAPACITY = 20_000  # places; with more, all is looked at


class Taken(NamedTuple):
    """Places to look at, each with whether a file was closed there last; or everything."""

    places: dict[str, bool | None]
    everything: str | None


class Inbox:
    """Gathers hints for one event loop."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._lock = threading.Lock()
        self._places: dict[str, bool | None] = {}
        self._everything: str | None = None
        self._ring_at = float("inf")
        self._timer: asyncio.TimerHandle | None = None
        self._rang = asyncio.Event()

    def touch(self, place: str, *, closed: bool | None = None, soon: bool = True) -> None:
        """Something may have changed at a place; `closed` says whether a file is whole now."""
        with self._lock:
            if self._everything is None:
                known = self._places.get(place)
                self._places[place] = known if closed is None else closed
                if len(self._places) > CAPACITY:
                    self._everything = "too many hints"
                    self._places = {}
            self._ring_after(SOON_SECONDS if soon else LATER_SECONDS)

    def doubt(self, why: str) -> None:
        """Anything may have changed."""
        with self._lock:
            self._everything = why
            self._places = {}
            self._ring_after(SOON_SECONDS)

    def take(self) -> Taken:
        """Return what has gathered."""
        with self._lock:
            taken = Taken(self._places, self._everything)
            self._places, self._everything, self._ring_at = {}, None, float("inf")
        self._rang.clear()
        return taken

    async def wait(self, timeout_seconds: float) -> None:
        """Return when there are hints, or after the time-out."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_seconds):
                await self._rang.wait()

    def _ring_after(self, seconds: float) -> None:
        at = time.monotonic() + seconds
        if at < self._ring_at:
            self._ring_at = at
            with contextlib.suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(self._set_timer, seconds)

    def _set_timer(self, seconds: float) -> None:
        if self._timer is not None and not self._timer.cancelled():
            at = min(self._timer.when(), self._loop.time() + seconds)
            self._timer.cancel()
        else:
            at = self._loop.time() + seconds
        self._timer = self._loop.call_at(at, self._ring)

    def _ring(self) -> None:
        self._timer = None
        self._rang.set()
