"""Collects the messages of a bus."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing, asynccontextmanager
from typing import Any

from raglive.bus.bus import Bus, Hint, Live, Message, Reconnected

__all__ = ["Heard", "listening", "numbered"]


class Heard:
    """The messages of a listener so far."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self._arrived = asyncio.Condition()

    async def add(self, message: Message) -> None:
        """Add a message."""
        async with self._arrived:
            self.messages.append(message)
            self._arrived.notify_all()

    async def until(self, is_enough: Callable[[], bool], within_seconds: float = 15) -> None:
        """Wait for messages until something is true."""
        async with asyncio.timeout(within_seconds), self._arrived:
            await self._arrived.wait_for(is_enough)

    @property
    def events(self) -> list[dict[str, Any]]:
        """The conflated events."""
        return [event for one in self.messages if isinstance(one, Live) for event in one.events]

    @property
    def numbers(self) -> list[int]:
        """The numbers of the events that `numbered` made."""
        return [event["number"] for event in self.events]

    @property
    def hints(self) -> list[Hint]:
        """The hints."""
        return [one for one in self.messages if isinstance(one, Hint)]

    @property
    def connections(self) -> int:
        """How often a service of the bus was connected."""
        return sum(isinstance(one, Reconnected) for one in self.messages)


@asynccontextmanager
async def listening(bus: Bus) -> AsyncIterator[Heard]:
    """Listen within the block, which begins once every service of the bus delivers."""
    heard = Heard()

    async def collect() -> None:
        async with aclosing(bus.listen()) as messages:
            async for message in messages:
                await heard.add(message)

    task = asyncio.create_task(collect(), name="collecting")
    try:
        await delivers(bus)
        yield heard
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def delivers(bus: Bus, within_seconds: float = 15) -> None:
    """Wait until every service of the bus delivers."""
    async with asyncio.timeout(within_seconds):
        while max(bus.silent_seconds.values()) > 3:
            await asyncio.sleep(0.02)


def numbered(number: int, **fields: str) -> Any:
    """Return a stand-in for an event, which the bus does not inspect."""
    return {"type": "heartbeat", "number": number, **fields}
