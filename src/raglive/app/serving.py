"""Serve HTTP, and run until told to stop."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager

import uvicorn
from starlette.types import ASGIApp

from raglive.status_server.transport.http_protocol import HttpProtocol
from raglive_contract.errors import RagliveError

__all__ = ["run_until", "serve_http"]

SHUTDOWN_SECONDS = 5
# Much is kept for long, and little of it in circles: looking after every 700 objects whether some
# can go, as Python does, takes a third of the time of publishing.
COLLECTED_AFTER = (50_000, 20, 50)


async def serve_http(
    app: ASGIApp,
    host: str,
    port: int,
    stop: Awaitable[None],
    *,
    trusted_proxies: Sequence[str] = (),
    before_stop: Callable[[], None] | None = None,
) -> None:
    """Serve until `stop`, then call `before_stop`, and let what is under way end.

    Only `trusted_proxies` may say for whom they ask.
    """
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        loop="uvloop",
        http=HttpProtocol,
        ws="websockets-sansio",
        ws_max_size=1_000_000,
        ws_per_message_deflate=False,
        log_config=None,
        access_log=False,
        timeout_graceful_shutdown=SHUTDOWN_SECONDS,
        server_header=False,
        forwarded_allow_ips=list(trusted_proxies),
    )
    gc.set_threshold(*COLLECTED_AFTER)
    server = _Server(config)
    serving = asyncio.create_task(server.serve(), name="http")
    stopping = asyncio.ensure_future(stop)
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if before_stop is not None:
        before_stop()
    server.should_exit = True
    await serving
    if not stopping.done():
        raise RagliveError(f"The server on port {port} ended.", code="server_ended")


async def run_until(stop: Awaitable[None], *work: Awaitable[None]) -> None:
    """Run until `stop`, or until one of the works has ended; raise what ended it."""
    stopping = asyncio.ensure_future(stop)
    tasks = {asyncio.ensure_future(each) for each in work}
    try:
        done, _ = await asyncio.wait({stopping, *tasks}, return_when=asyncio.FIRST_COMPLETED)
        for task in done - {stopping}:
            await task
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield  # the command has its own
