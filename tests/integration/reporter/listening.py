"""Conflated events as the bus delivers them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

from raglive.bus.bus import Live, Reconnected
from raglive.bus.postgres import PostgresBus

__all__ = ["Shown", "listening"]

Event = dict[str, Any]


class Shown:
    """The received conflated events."""

    def __init__(self) -> None:
        self._events: asyncio.Queue[Event] = asyncio.Queue()

    def add(self, events: list[Event]) -> None:
        for event in events:
            self._events.put_nowait(event)

    async def until(self, kind: str, wanted: Callable[[Event], bool]) -> Event:
        """Return the next event of a kind that meets the condition."""
        async with asyncio.timeout(30):
            while True:
                event = await self._events.get()
                if event["type"] == kind and wanted(event):
                    return event


@asynccontextmanager
async def listening(dsn: str) -> AsyncIterator[Shown]:
    shown = Shown()
    ready = asyncio.Event()
    task = asyncio.create_task(_listen(dsn, shown, ready))
    try:
        await asyncio.wait_for(ready.wait(), 10)
        yield shown
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _listen(dsn: str, shown: Shown, ready: asyncio.Event) -> None:
    async with PostgresBus(dsn) as bus, aclosing(bus.listen()) as messages:
        async for message in messages:
            if isinstance(message, Reconnected):
                ready.set()
            elif isinstance(message, Live):
                shown.add(message.events)
