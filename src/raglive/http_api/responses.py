"""Error responses: one error object, the HTTP status of each code, and never a traceback."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson
import structlog
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.types import Receive, Scope, Send

from raglive.store.errors import TRANSIENT, DatabaseUnavailable
from raglive_contract.errors import ErrorCode, RagliveError

__all__ = [
    "error_response",
    "install_error_handlers",
    "json_response",
    "refuse",
    "status_of",
    "unexpected",
]

log = structlog.get_logger()

_STATUS: Mapping[str, int] = {
    ErrorCode.INVALID_REQUEST: 422,
    ErrorCode.INVALID_EVENT: 422,
    ErrorCode.UNAUTHENTICATED: 401,
    ErrorCode.TOKEN_EXPIRED: 401,
    ErrorCode.TOKEN_REVOKED: 401,
    ErrorCode.FORBIDDEN: 403,
    ErrorCode.NOT_FOUND: 404,
    ErrorCode.METHOD_NOT_ALLOWED: 405,
    ErrorCode.CONFLICT: 409,
    ErrorCode.PIPELINE_MANAGED: 409,
    ErrorCode.CURSOR_INVALID: 400,
    ErrorCode.CURSOR_EXPIRED: 410,
    ErrorCode.PAYLOAD_TOO_LARGE: 413,
    ErrorCode.RATE_LIMITED: 429,
    ErrorCode.LIMIT_REACHED: 429,
    ErrorCode.HOST_NOT_ALLOWED: 421,
    ErrorCode.ORIGIN_NOT_ALLOWED: 403,
    ErrorCode.TOO_SLOW: 408,
    ErrorCode.IDLE: 408,
    ErrorCode.UNAVAILABLE: 503,
    ErrorCode.INTERNAL: 500,
    ErrorCode.DATABASE_MISCONFIGURED: 503,
    ErrorCode.SCHEMA_MISMATCH: 503,
    ErrorCode.SETTINGS_INVALID: 503,
    ErrorCode.EMBEDDING_MODEL_CHANGED: 409,
    ErrorCode.EMBEDDING_INPUT_TOO_LONG: 422,
    ErrorCode.EMBEDDING_REJECTED: 502,
    ErrorCode.EMBEDDING_INVALID_RESPONSE: 502,
    ErrorCode.EMBEDDING_TEXT_FAILED: 502,
    ErrorCode.EMBEDDING_RATE_LIMITED: 503,
    ErrorCode.EMBEDDING_UNAVAILABLE: 503,
    ErrorCode.EMBEDDING_TIMEOUT: 503,
    ErrorCode.EMBEDDING_NOT_CONFIGURED: 503,
    ErrorCode.EMBEDDING_QUOTA_SPENT: 503,
}
_CODES = {
    401: ErrorCode.UNAUTHENTICATED,
    403: ErrorCode.FORBIDDEN,
    404: ErrorCode.NOT_FOUND,
    405: ErrorCode.METHOD_NOT_ALLOWED,
    413: ErrorCode.PAYLOAD_TOO_LARGE,
    429: ErrorCode.RATE_LIMITED,
    503: ErrorCode.UNAVAILABLE,
}
_DATABASE_RETRY_MS = 1000
_FAULTS_NAMED = 5


def status_of(code: str) -> int:
    """Look up the HTTP status of an error code; 500 for an unknown one."""
    return _STATUS.get(code, 500)


def error_response(error: RagliveError, request_id: str | None) -> JSONResponse:
    """Make the response for an error, with `Retry-After` and `WWW-Authenticate`."""
    headers = {"Cache-Control": "no-store"}
    status = status_of(error.code)
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if error.retry_after_ms is not None:
        headers["Retry-After"] = str(-(-error.retry_after_ms // 1000))
    return JSONResponse({"error": error.body(request_id)}, status, headers)


async def refuse(error: RagliveError, scope: Scope, receive: Receive, send: Send) -> None:
    """Send an error response, also to a WebSocket handshake that was not accepted yet."""
    answer = error_response(error, scope.get("state", {}).get("request_id"))
    if scope["type"] == "http":
        await answer(scope, receive, send)
    elif "websocket.http.response" in scope.get("extensions", {}):
        head = {"status": answer.status_code, "headers": answer.raw_headers}
        await send({"type": "websocket.http.response.start", **head})
        await send({"type": "websocket.http.response.body", "body": answer.body})
    else:
        await send({"type": "websocket.close", "code": 1008})


def unexpected() -> RagliveError:
    """Make the error for an unexpected exception, which is in the log."""
    return RagliveError(
        "Something went wrong inside the server. Its log has the details under this request_id.",
        code=ErrorCode.INTERNAL,
    )


def install_error_handlers(
    app: Starlette, on_refusal: Callable[[RagliveError, Request], None] | None = None
) -> None:
    """Answer every error of `app` with the error object; `on_refusal` receives `RagliveError`s."""

    async def refuse_and_report(request: Request, error: Exception) -> Response:
        if on_refusal is not None and isinstance(error, RagliveError):
            on_refusal(error, request)
        return await _refuse(request, error)

    app.add_exception_handler(RagliveError, refuse_and_report)
    app.add_exception_handler(RequestValidationError, _refuse_invalid)
    app.add_exception_handler(HTTPException, _refuse_http)
    for kind in TRANSIENT:
        if issubclass(kind, Exception):
            app.add_exception_handler(kind, _refuse_unavailable)


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, RagliveError)
    return error_response(error, _request_id(request))


async def _refuse_invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    refusal = RagliveError(_validation_faults(error.errors()), code=ErrorCode.INVALID_REQUEST)
    return error_response(refusal, _request_id(request))


async def _refuse_http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = 422 if error.status_code == 400 else error.status_code  # as for any other invalid body
    code = _CODES.get(status, ErrorCode.INVALID_REQUEST)
    answer = error_response(
        RagliveError(_http_message(error, request), code=code, retryable=status >= 500),
        _request_id(request),
    )
    answer.status_code = status
    answer.headers.update(error.headers or {})
    return answer


async def _refuse_unavailable(request: Request, error: Exception) -> Response:
    log.warning("database_unavailable", error=type(error).__name__, path=request.url.path)
    refusal = DatabaseUnavailable(
        "The database does not answer. The next request tries again.",
        retry_after_ms=_DATABASE_RETRY_MS,
    )
    return error_response(refusal, _request_id(request))


def _http_message(error: HTTPException, request: Request) -> str:
    if error.status_code == 400:
        return "The body cannot be read: it is not JSON in UTF-8."
    if error.status_code == 404:
        return "Nothing exists at this address."
    if error.status_code == 405:
        return f"This address does not support {request.method}."
    return str(error.detail)


def _validation_faults(errors: Sequence[Mapping[str, Any]]) -> str:
    named = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in errors[:_FAULTS_NAMED]]
    more = len(errors) - len(named)
    return "; ".join(named) + (f"; and {more} more" if more else "") + "."


def _request_id(request: Request) -> str | None:
    request_id: str | None = request.scope.get("state", {}).get("request_id")
    return request_id


def json_response(
    body: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None
) -> Response:
    """Make a JSON response that may not be stored, unless `headers` allow it."""
    sent = {"Cache-Control": "no-store", **(headers or {})}
    return Response(orjson.dumps(body), status, sent, "application/json")
