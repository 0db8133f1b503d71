"""Serving HTTP, and running work, until told to stop."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

from starlette.types import ASGIApp

from raglive.http_api.base_path import BasePath
from raglive.http_api.rate_limits import RequestRates
from raglive.settings import Settings
from raglive.status_server.transport.http_server import http_server
from raglive_contract.errors import ErrorCode, RagliveError

if sys.platform != "win32":
    import resource

__all__ = ["request_rates", "run_until", "serve_http"]

# Servers hold many long-lived objects in few cycles. Python's default, a collection every 700
# allocations, takes a third of the time of publishing.
GC_THRESHOLDS = (50_000, 20, 50)

OTHER_OPEN_FILES = 200  # connections to the database, files, pipes


async def serve_http(
    app: ASGIApp,
    host: str,
    port: int,
    stop: Awaitable[None],
    *,
    max_connections: int,
    base_path: str = "",
    trusted_proxies: Sequence[str] = (),
    before_stop: Callable[[], None] | None = None,
) -> None:
    """Serve until `stop`, then call `before_stop`, and let running requests end.

    Paths may begin with `base_path`. Only `trusted_proxies` may set forwarded addresses.
    `max_connections` are TCP connections; there are fewer where the operating system permits fewer
    open files. Raises `server_ended` when the server ends before `stop`.
    """
    gc.set_threshold(*GC_THRESHOLDS)
    server = http_server(
        BasePath(app, base_path) if base_path else app,
        host,
        port,
        max_connections=min(max_connections, open_file_limit() - OTHER_OPEN_FILES),
        trusted_proxies=trusted_proxies,
    )
    serving = asyncio.create_task(server.serve(), name="http")
    stopping = asyncio.ensure_future(stop)
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    if before_stop is not None:
        before_stop()
    server.should_exit = True
    await serving
    if not stopping.done():
        raise RagliveError(f"The server on port {port} ended.", code=ErrorCode.SERVER_ENDED)


def open_file_limit() -> int:
    """Raise the limit of open files as far as this user may, and return it."""
    if sys.platform == "win32":
        return 1 << 16
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with suppress(ValueError, OSError):  # macOS permits less than it says
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1 << 20 if soft == resource.RLIM_INFINITY else soft


async def run_until(stop: Awaitable[None], *work: Awaitable[None]) -> None:
    """Run until `stop` or until one of the works ends, and raise its exception."""
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


def request_rates(settings: Settings) -> RequestRates:
    """Return how many HTTP requests both servers accept."""
    return RequestRates(settings.address_requests_per_second, settings.subject_requests_per_second)
