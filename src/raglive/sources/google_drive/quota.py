"""A client-side rate limit that keeps requests within the quota of the Drive API."""

from __future__ import annotations

import asyncio
import time

__all__ = ["COSTS", "UNITS_PER_MINUTE", "QuotaBucket"]

UNITS_PER_MINUTE = 300_000
BURST_SECONDS = 5

COSTS = {"get": 5, "list": 100, "download": 200}
"""Quota units of each kind of request, as Google publishes them for the Drive API."""


class QuotaBucket:
    """A token bucket that every request with the same credentials takes units from."""

    def __init__(self, units_per_minute: float = UNITS_PER_MINUTE) -> None:
        self._rate = units_per_minute / 60
        self._capacity = self._rate * BURST_SECONDS
        self._units = self._capacity
        self._filled = time.monotonic()
        self._lock = asyncio.Lock()

    async def take(self, units: float) -> None:
        """Take units, waiting until they are available."""
        async with self._lock:
            self._fill()
            if self._units < units:
                await asyncio.sleep((units - self._units) / self._rate)
                self._fill()
            self._units -= units

    def drain(self) -> None:
        """Empty the bucket, because Google reported that the quota is exceeded."""
        self._fill()
        self._units = min(self._units, 0.0)

    def _fill(self) -> None:
        now = time.monotonic()
        self._units = min(self._capacity, self._units + (now - self._filled) * self._rate)
        self._filled = now
