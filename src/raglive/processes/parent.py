"""A child of `raglive up`: begins when the database is there, ends when its parent is gone."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

from raglive.processes.home import running_homes

__all__ = ["end_with_parent", "wait_for_database"]

CHECK_SECONDS = 0.5
NOTE_SECONDS = 0.02


async def end_with_parent(parent_pid: int) -> None:
    """Send this process SIGTERM when `parent_pid` is no longer its parent."""
    while os.getppid() == parent_pid:  # noqa: ASYNC110 - nothing tells it otherwise
        await asyncio.sleep(CHECK_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)


async def wait_for_database(data_dir: Path | None, parent_pid: int) -> None:
    """Return when `parent_pid` has noted that its database is ready and has this schema."""
    while not any(running.pid == parent_pid for _, running in running_homes(data_dir)):  # noqa: ASYNC110 - as above
        await asyncio.sleep(NOTE_SECONDS)
