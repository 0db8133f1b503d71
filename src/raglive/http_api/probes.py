"""`/health/live` and `/health/ready`: the probes of every process. They need no token."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from raglive_contract.errors import ErrorCode, RagliveError

__all__ = ["probe_routes"]

RETRY_MS = 1000


def probe_routes(
    unready: Callable[[], Awaitable[str | None]], stuck: Callable[[], str | None] = lambda: None
) -> list[Route]:
    """Create the routes; each function returns why the probe fails, or None.

    A process that is not ready gets no traffic; a stuck one must be restarted. The answer is
    `{status}`, or `unavailable` with the reason.
    """

    async def live(_request: Request) -> Response:
        return _answer("alive", stuck(), "The process is stuck")

    async def ready(_request: Request) -> Response:
        return _answer("ready", await unready(), "Not ready")

    return [Route("/health/live", live), Route("/health/ready", ready)]


def _answer(status: str, fault: str | None, outcome: str) -> Response:
    if fault is not None:
        message = f"{outcome}: {fault}."
        raise RagliveError(
            message, code=ErrorCode.UNAVAILABLE, retryable=True, retry_after_ms=RETRY_MS
        )
    return JSONResponse({"status": status})
