"""An embedding provider that records the embedded texts, and fails on request."""

from __future__ import annotations

import asyncio
import hashlib
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

import numpy as np
import orjson
from aiohttp import web

from raglive.embedding import PROBE

__all__ = ["DIMENSIONS", "Provider", "provider", "serving"]

DIMENSIONS = 8


class Provider:
    """Answers as OpenAI's does; a share `fault_rate` of the requests gets one of the `faults`."""

    def __init__(self) -> None:
        self.url = ""
        self.model = ""  # of the latest request
        self.embedded: Counter[str] = Counter()
        self.requests = 0
        self.fault_rate = 0.0
        self.is_stored: Callable[[Sequence[str]], Awaitable[bool]] | None = None
        self.repeated_requests: list[list[str]] = []
        self.faults: tuple[str, ...] = ()
        self.fails_once_after: int | None = None
        self.fails_at = ""  # a text of requests that fail
        self.fails_with = 500
        self.holds_at = ""  # a text of requests that wait for `released`
        self.held, self.released = asyncio.Event(), asyncio.Event()
        self.ended = asyncio.Event()
        self.random = random.Random(7)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        body = orjson.loads(await request.read())
        texts, self.model = body["input"], body["model"]
        self.requests += 1
        if self.is_stored and await self.is_stored(texts):
            self.repeated_requests.append(texts)
        if self.fails_once_after is not None and self.requests > self.fails_once_after:
            self.fails_once_after = None
            return web.Response(status=503, headers={"Retry-After": "6"})  # too long to wait for
        if self.fails_at and any(self.fails_at in text for text in texts):
            return web.Response(status=self.fails_with)
        if self.holds_at and any(self.holds_at in text for text in texts):
            self.held.set()
            await self.released.wait()
        if self.faults and self.random.random() < self.fault_rate:
            return await self._fail(request, self.random.choice(self.faults), len(texts))
        self.embedded.update(text for text in texts if text != PROBE)
        dimensions = body.get("dimensions", DIMENSIONS)
        return _answer([_vector(text, dimensions) for text in texts])

    async def _fail(self, request: web.Request, which: str, count: int) -> web.StreamResponse:
        if which == "cut":
            assert request.transport is not None
            request.transport.abort()
        elif which == "hang":
            await self.ended.wait()
        elif which == "dimensions":
            return _answer([_vector(str(n), DIMENSIONS + 1) for n in range(count)])
        elif which == "quota":
            error = {"message": "You exceeded your current quota.", "code": "insufficient_quota"}
            return web.json_response({"error": error}, status=429)
        elif which == "too few":
            return _answer([_vector(str(n), DIMENSIONS) for n in range(count - 1)])
        headers = {"Retry-After": "0"} if which == "429" else {}
        return web.Response(status=int(which) if which.isdigit() else 500, headers=headers)


@asynccontextmanager
async def provider() -> AsyncIterator[Provider]:
    """Run a provider."""
    made = Provider()
    async with serving(made.handle) as made.url:
        try:
            yield made
        finally:
            made.ended.set()


@asynccontextmanager
async def serving(
    answer: Callable[[web.Request], Awaitable[web.StreamResponse]],
) -> AsyncIterator[str]:
    """Serve embeddings; yield the address."""
    app = web.Application(client_max_size=64 << 20)
    app.router.add_post("/v1/embeddings", answer)
    runner = web.AppRunner(app, shutdown_timeout=0)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/v1"
    finally:
        await runner.cleanup()


def _answer(vectors: list[list[float]]) -> web.Response:
    data = [{"index": index, "embedding": vector} for index, vector in enumerate(vectors)]
    usage = {"prompt_tokens": 10 * len(vectors), "total_tokens": 10 * len(vectors)}
    return web.json_response({"data": data, "usage": usage})


def _vector(text: str, dimensions: int) -> list[float]:
    seed = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big")
    found: list[float] = np.random.default_rng(seed).standard_normal(dimensions).tolist()
    return found
