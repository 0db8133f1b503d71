"""Requests over Socket.IO: strict validation, one answer each, metrics and log."""

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

__all__ = ["answered", "read_request"]

log = structlog.get_logger()

Shape = TypeVar("Shape", bound=BaseModel)


class _Namespace(Protocol):
    metrics: StatusMetrics

    def record_refusal(self, sid: str, request: str, error: RagliveError) -> None: ...


Namespace = TypeVar("Namespace", bound=_Namespace)
Handler = Callable[[Namespace, str, object], Awaitable[dict[str, Any]]]


def answered(handler: Handler[Namespace]) -> Callable[..., Awaitable[dict[str, Any]]]:
    """Decorate a handler: it answers `{ok: true, ...}`, or `{ok: false, error}` if it raises."""
    request = handler.__name__.removeprefix("on_")

    @wraps(handler)
    async def answer(self: Namespace, sid: str, *sent: object) -> dict[str, Any]:
        request_id, started = str(uuid7()), time.perf_counter()
        with structlog.contextvars.bound_contextvars(request_id=request_id, connection=sid):
            refusal, answer_fields = None, {}
            try:
                answer_fields = await handler(self, sid, sent[0] if sent else None)
            except Exception as error:
                refusal = _refusal(error, request)
                self.record_refusal(sid, request, refusal)
            seconds = time.perf_counter() - started
            outcome = "ok" if refusal is None else str(refusal.code)
            self.metrics.socket_requests.labels(request, outcome).observe(seconds)
            log.info(
                "request", request=request, outcome=outcome, duration_ms=round(seconds * 1000, 2)
            )
        if refusal is not None:
            return {"ok": False, "error": refusal.body(request_id)}
        return {"ok": True} | answer_fields

    return answer


def _refusal(error: Exception, request: str) -> RagliveError:
    """Choose the error of the answer; the log has the details of an unexpected one."""
    if isinstance(error, RagliveError):
        return error
    if isinstance(error, DATABASE_ERRORS):
        log.warning("request_failed", request=request, error=type(error).__name__)
        return _unavailable()
    log.error("request_crashed", request=request, exc_info=error)
    return RagliveError("The request failed.")


def read_request(shape: type[Shape], data: object) -> Shape:
    """Validate a request. Raises `invalid_request` with the first fault."""
    try:
        return shape.model_validate({} if data is None else data)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"])[:200] or "the request"
        raise RagliveError(f"{place}: {first['msg']}", code=ErrorCode.INVALID_REQUEST) from None


def _unavailable() -> RagliveError:
    return RagliveError(
        "The database does not answer. Try again.",
        code=ErrorCode.UNAVAILABLE,
        retryable=True,
        retry_after_ms=1000,
    )
