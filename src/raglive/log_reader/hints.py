"""Hints of the bus: which logs have grown, and whether hints may have been missed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing, suppress

from raglive.bus.bus import Bus, Hint, Live, Reconnected

__all__ = ["HeadHints"]

MAX_HINTED = 10_000  # pipelines

TakeLive = Callable[[list[dict[str, object]]], None]


class HeadHints:
    """Collects hints while `listen` runs; `take_live` receives the conflated events.

    `in_doubt` is set at the start, after each outage of the bus, and when more than `MAX_HINTED`
    pipelines were hinted and not taken: the heads have to be read.
    """

    def __init__(self, bus: Bus, take_live: TakeLive | None = None) -> None:
        self._bus = bus
        self._take_live = take_live
        self._arrived = asyncio.Event()
        self.seqs: dict[int, int] = {}
        self.in_doubt = True
        self.have_begun = False  # until the bus is connected, no hint arrives

    async def listen(self) -> None:
        """Collect hints until cancelled; outages of the bus are survived."""
        async with aclosing(self._bus.listen(live=self._take_live is not None)) as messages:
            async for message in messages:
                match message:
                    case Hint(pipeline_key=key, seq=seq):
                        self._add(key, seq)
                    case Live(events=events) if self._take_live is not None:
                        self._take_live(events)
                    case Reconnected():
                        self.have_begun = True
                        self.doubt()

    def take(self) -> dict[int, int]:
        """Remove and return the hinted seqs by pipeline key."""
        taken, self.seqs = self.seqs, {}
        return taken

    def doubt(self) -> None:
        """Have the heads read, whatever the hints say."""
        self.in_doubt = True
        self.wake()

    def wake(self) -> None:
        """End every `wait`."""
        self._arrived.set()

    def _add(self, pipeline_key: int, seq: int) -> None:
        if len(self.seqs) >= MAX_HINTED and pipeline_key not in self.seqs:
            self.seqs.clear()
            self.in_doubt = True
        self.seqs[pipeline_key] = max(seq, self.seqs.get(pipeline_key, 0))
        self.wake()

    async def wait(self, within_seconds: float) -> None:
        """Wait for the next hint; hints that were neither taken nor waited for count."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within_seconds):
                await self._arrived.wait()
        self._arrived.clear()
