"""Records what the stock JavaScript client receives while the page is open, in order."""

from __future__ import annotations

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).with_name("recorder.mjs")
MODULES = SCRIPT.parents[2] / "web" / "node_modules" / "socket.io-client"


@asynccontextmanager
async def recorded(url: str, token: str, namespace: str) -> AsyncIterator[list[dict[str, Any]]]:
    """Record every durable event of a namespace, through reconnections."""
    if shutil.which("node") is None or not MODULES.exists():
        pytest.skip("node or web/node_modules is missing: make setup")
    process = await asyncio.create_subprocess_exec(
        "node",
        str(SCRIPT),
        url,
        token,
        namespace,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        limit=2**20,
    )
    events: list[dict[str, Any]] = []
    subscribed = asyncio.Event()

    async def read() -> None:
        assert process.stdout is not None
        async for line in process.stdout:
            events.append(json.loads(line))  # noqa: PERF401 - to be seen as it comes

    async def listen() -> None:
        assert process.stderr is not None
        async for line in process.stderr:
            if line.strip() == b"subscribed":
                subscribed.set()

    reading = [asyncio.create_task(read()), asyncio.create_task(listen())]
    try:
        await asyncio.wait_for(subscribed.wait(), 20)
        yield events
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await asyncio.gather(*reading, return_exceptions=True)
        await process.wait()
