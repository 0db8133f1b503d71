"""Rates of repeated work, and the CPU time that a process uses for it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import psutil

__all__ = ["cpu_seconds", "rate"]


WARM_UP = 7  # after five executions Postgres may cache a plan


async def rate(work: Callable[[], Awaitable[int]], workers: int, seconds: float) -> float:
    """Return the rate per second at which `workers` tasks complete calls of `work`.

    Each task calls it a few times before, so that connections are open and plans are cached.
    """
    for _ in range(WARM_UP):
        await asyncio.gather(*(work() for _ in range(workers)))
    done = 0
    began = time.perf_counter()

    async def run() -> None:
        nonlocal done
        while time.perf_counter() - began < seconds:
            finished = await work()
            done += finished  # not in one expression: `done` would be read before the wait

    await asyncio.gather(*(run() for _ in range(workers)))
    return done / (time.perf_counter() - began)


def cpu_seconds(process: psutil.Process) -> float:
    """Return the CPU seconds that a process has used so far."""
    times = process.cpu_times()
    return float(times.user + times.system)
