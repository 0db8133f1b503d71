"""Requests over Socket.IO: read strictly, and always answered."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any, Protocol, TypeVar

import structlog
from pydantic import BaseModel, ValidationError
from uuid6 import uuid7

from raglive.status_server.metrics import StatusMetrics
from raglive.store.errors import DATABASE_ERRORS
from raglive_contract.errors import ErrorCode, RagliveError

__all__ = ["answered", "read_request", "read_token"]

log = structlog.get_logger()

Shape = TypeVar("Shape", bound=BaseModel)


class _Owner(Protocol):
    metrics: StatusMetrics

    def refused(self, sid: str, request: str, error: RagliveError) -> None: ...


Owner = TypeVar("Owner", bound=_Owner)
Handler = Callable[[Owner, str, object], Awaitable[dict[str, Any]]]


def answered(handler: Handler[Owner]) -> Callable[..., Awaitable[dict[str, Any]]]:
    """Answer every request: `{ok: true, ...}`, or `{ok: false, error}`."""
    request = handler.__name__.removeprefix("on_")

    @wraps(handler)
    async def answer(self: Owner, sid: str, *sent: object) -> dict[str, Any]:
        request_id, started = str(uuid7()), time.perf_counter()
        with structlog.contextvars.bound_contextvars(request_id=request_id, connection=sid):
            refusal, done = None, {}
            try:
                done = await handler(self, sid, sent[0] if sent else None)
            except Exception as error:
                refusal = _refusal(error, request)
                self.refused(sid, request, refusal)
            seconds = time.perf_counter() - started
            outcome = "ok" if refusal is None else str(refusal.code)
            self.metrics.asked.labels(request, outcome).observe(seconds)
            log.info(
                "request", request=request, outcome=outcome, duration_ms=round(seconds * 1000, 2)
            )
        if refusal is not None:
            return {"ok": False, "error": refusal.body(request_id)}
        return {"ok": True} | done

    return answer


def _refusal(error: Exception, request: str) -> RagliveError:
    """Return what is said of an error; the log has what is not said."""
    if isinstance(error, RagliveError):
        return error
    if isinstance(error, DATABASE_ERRORS):
        log.warning("request_failed", request=request, error=type(error).__name__)
        return _unavailable()
    log.error("request_crashed", request=request, exc_info=error)
    return RagliveError("The request failed.")


def read_request(shape: type[Shape], data: object) -> Shape:
    """Return what was asked; raise `invalid_request` that names the first fault."""
    try:
        return shape.model_validate({} if data is None else data)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])[:200] or "the request"
        raise RagliveError(f"{place}: {first['msg']}", code=ErrorCode.INVALID_REQUEST) from None


def read_token(auth: object) -> str:
    """Return the token of a handshake; raise `unauthenticated` without one."""
    token = auth.get("token") if isinstance(auth, dict) else None
    if not isinstance(token, str):
        raise RagliveError(
            "A token is required: connect with `auth: {token}`.", code=ErrorCode.UNAUTHENTICATED
        )
    return token


def _unavailable() -> RagliveError:
    return RagliveError(
        "The database does not answer. Try again.",
        code=ErrorCode.UNAVAILABLE,
        retryable=True,
        retry_after_ms=1000,
    )
