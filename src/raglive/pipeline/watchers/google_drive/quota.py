"""A token bucket: never more quota units a minute than Google gives an account."""

from __future__ import annotations

import asyncio
import time

__all__ = ["COSTS", "QuotaBucket"]

UNITS_PER_MINUTE = 300_000  # of 325,000, so that the same account can do something else too

# Google: Drive API, usage limits.
COSTS = {"get": 5, "list": 100, "download": 200}


class QuotaBucket:
    """Shared by everything that uses one credential."""

    def __init__(self, units_per_minute: float = UNITS_PER_MINUTE) -> None:
        self._rate = units_per_minute / 60
        self._most = units_per_minute / 60 * 5  # five seconds' worth may be spent at once
        self._units = self._most
        self._filled = time.monotonic()
        self._turn = asyncio.Lock()

    async def take(self, units: float) -> None:
        """Wait until so many units are there, and take them."""
        async with self._turn:
            self._fill()
            if self._units < units:
                await asyncio.sleep((units - self._units) / self._rate)
                self._fill()
            self._units -= units

    def drain(self) -> None:
        """Start from nothing: Google has said that it was too much."""
        self._fill()
        self._units = min(self._units, 0.0)

    def _fill(self) -> None:
        now = time.monotonic()
        self._units = min(self._most, self._units + (now - self._filled) * self._rate)
        self._filled = now
