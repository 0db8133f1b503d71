"""Polls of `/api/rag-status` as the page makes them: by difference, in parts."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.integration.status_server.serving import SECRET, free_port, ready

__all__ = ["Poller", "dashboard"]

PATH = "/api/rag-status"


@dataclass
class Poller:
    """Keeps the cursor and the token `seen`, and the size and time of every answer."""

    http: httpx.AsyncClient
    sizes: list[int] = field(default_factory=list)
    took: list[float] = field(default_factory=list)
    _place: dict[str, Any] = field(default_factory=lambda: {"seen": ""})

    async def plain(self) -> None:
        """Poll without anything, as a client that knows no differences."""
        await self._request("GET", PATH)

    async def poll(self) -> bool:
        """Poll by difference; return whether the answer is complete."""
        answer = await self._request("POST", PATH, json=self._place)
        self._place = {"cursor": answer["next_cursor"], "seen": answer["seen"]}
        return bool(answer["up_to_date"])

    async def poll_all(self) -> None:
        """Poll until everything has been sent."""
        while not await self.poll():
            pass

    async def _request(self, method: str, path: str, **more: Any) -> dict[str, Any]:
        began = time.perf_counter()
        answer = (await self.http.request(method, path, **more)).raise_for_status()
        self.took.append(time.perf_counter() - began)
        self.sizes.append(len(answer.content))
        found: dict[str, Any] = answer.json()
        return found


@asynccontextmanager
async def dashboard(dsn: str, data: str) -> AsyncIterator[int]:
    """Run a dashboard server; yields its port."""
    port = free_port()
    environment = os.environ | {
        "DATABASE_URL": dsn,
        "RAGLIVE_DATA_DIR": data,
        "RAGLIVE_JWT_SECRET": SECRET,
        "RAGLIVE_DASHBOARD_PORT": str(port),
    }
    silent = asyncio.subprocess.DEVNULL
    process = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "raglive", "dashboard"],
        env=environment,
        stdout=silent,
        stderr=silent,
    )
    try:
        await ready(f"http://127.0.0.1:{port}")
        yield port
    finally:
        process.terminate()
        await process.wait()
