"""Loops that run as long as a server: without one of them it would look healthy and not work."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import structlog

__all__ = ["running"]

log = structlog.get_logger()


@asynccontextmanager
async def running(**loops: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    """Run loops within the block, and cancel them at its end.

    A loop that ends before that, with an error or without, ends the process, which is then started
    again by whatever supervises it.
    """
    tasks = [asyncio.create_task(work, name=name) for name, work in loops.items()]
    for task in tasks:
        task.add_done_callback(_exit_unless_cancelled)
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _exit_unless_cancelled(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        log.error("loop_failed", task=task.get_name(), exc_info=task.exception())
        raise SystemExit(1)
