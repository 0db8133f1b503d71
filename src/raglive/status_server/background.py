"""Background work: loops that run as long as the server, and tasks that run on their own."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import structlog

__all__ = ["BackgroundTasks", "running"]

log = structlog.get_logger()

Work = Coroutine[Any, Any, None]


@asynccontextmanager
async def running(**loops: Work) -> AsyncIterator[None]:
    """Run loops within the block, and cancel them at its end.

    A loop that fails ends the process: the server would look healthy without working.
    """
    tasks = [asyncio.create_task(work, name=name) for name, work in loops.items()]
    for task in tasks:
        task.add_done_callback(_exit_on_failure)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class BackgroundTasks:
    """Holds references to tasks until they end, and logs those that fail."""

    def __init__(self) -> None:
        self._running: set[asyncio.Task[None]] = set()

    def start(self, work: Work, name: str) -> None:
        """Start a task; an exception that it raises is logged."""
        task = asyncio.create_task(work, name=name)
        self._running.add(task)
        task.add_done_callback(self._ended)

    async def close(self) -> None:
        """Cancel the running tasks and wait for them; may be called again."""
        tasks = list(self._running)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._running.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("task_failed", task=task.get_name(), exc_info=error)


def _exit_on_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        log.error("loop_failed", task=task.get_name(), exc_info=error)
        raise SystemExit(1)
