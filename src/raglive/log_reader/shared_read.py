"""One read for all callers that ask while it runs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Generic, TypeVar

__all__ = ["SharedRead"]

Result = TypeVar("Result")


class SharedRead(Generic[Result]):
    """Runs one read at a time. A caller that is cancelled leaves it running for the others."""

    def __init__(self) -> None:
        self._running: asyncio.Task[Result] | None = None

    async def join(self, read: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
        """Await the running read, or start one; raises what it raises."""
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(read(), name="shared-read")
            self._running.add_done_callback(_retrieve)
        return await asyncio.shield(self._running)


def _retrieve(running: asyncio.Task[Any]) -> None:
    """Mark an error as seen, in case every caller was cancelled."""
    if not running.cancelled():
        running.exception()
