"""Middleware of every server: request ids, the request log, and limits of sizes and addresses."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uuid6 import uuid7

from raglive.http_api.allowed_hosts import client_address, is_direct_from_this_machine
from raglive.http_api.metrics import Metrics
from raglive.http_api.responses import error_response, refuse, unexpected
from raglive_contract.errors import ErrorCode, RagliveError

__all__ = ["AddressLimit", "BodyLimit", "RequestLog"]

log = structlog.get_logger()

STOPPING_RETRY_MS = 1000
_UNCOUNTED = ("/health", "/api/health")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}", re.ASCII)


class RequestLog:
    """Gives each request an id, logs it, and answers uncaught exceptions with `internal`."""

    def __init__(self, app: ASGIApp, metrics: Metrics | None = None) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and log its outcome."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(Headers(scope=scope))
        scope.setdefault("state", {})["request_id"] = request_id
        response = _Response(send, request_id)
        started = time.perf_counter()
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, response)
            except asyncio.CancelledError:  # the server stops, and does not wait any longer
                if response.status is None:
                    await error_response(_stopping(), request_id)(scope, receive, response)
                raise
            except Exception:
                log.exception("request_failed", method=scope["method"], path=scope["path"])
                if response.status is not None:
                    raise
                await error_response(unexpected(), request_id)(scope, receive, response)
            finally:
                if self._metrics is not None:
                    self._metrics.note_request(scope["method"], response.status, started)
                # an unchanged poll is not worth a line
                log_request = log.debug if response.status == 304 else log.info
                log_request(
                    "request",
                    method=scope["method"],
                    path=scope["path"],
                    status=response.status,
                    duration_ms=round((time.perf_counter() - started) * 1000, 2),
                )


class BodyLimit:
    """Refuses compressed bodies, and those of more than `limit` bytes.

    A body may have no content-length.
    """

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit
        self._message = f"The body is larger than {limit} bytes. Send less at once."

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, and count its body while it is read."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(Headers(scope=scope))
        if refusal is not None:
            await refuse(refusal, scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._limit:
                raise HTTPException(413, self._message)
            return message

        await self._app(scope, counted, send)

    def _refusal(self, headers: Headers) -> RagliveError | None:
        if headers.get("content-encoding", "identity") != "identity":
            return RagliveError(
                "Compressed bodies are not read. Send it without Content-Encoding.",
                code=ErrorCode.INVALID_REQUEST,
            )
        declared = headers.get("content-length", "0")
        if declared.isdigit() and int(declared) > self._limit:
            return RagliveError(self._message, code=ErrorCode.PAYLOAD_TOO_LARGE)
        return None


class AddressLimit:
    """Refuses requests of an address for which `count` raises.

    Health checks are not counted, nor direct requests of this machine: the dashboard makes requests
    for others.
    """

    def __init__(self, app: ASGIApp, count: Callable[[str], None]) -> None:
        self._app = app
        self._count = count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Count the request, then pass it on or refuse it."""
        if scope["type"] == "http" and not _is_uncounted(scope):
            try:
                self._count(client_address(scope))
            except RagliveError as error:
                await refuse(error, scope, receive, send)
                return
        await self._app(scope, receive, send)


def _is_uncounted(scope: Scope) -> bool:
    return scope["path"].startswith(_UNCOUNTED) or is_direct_from_this_machine(scope)


class _Response:
    """Adds the request's id to a response, and notes its status."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._request_id = request_id
        self.status: int | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            MutableHeaders(scope=message)["X-Request-ID"] = self._request_id
        await self._send(message)


def _stopping() -> RagliveError:
    return RagliveError(
        "The server stops before this request is answered. Send it again.",
        code=ErrorCode.UNAVAILABLE,
        retryable=True,
        retry_after_ms=STOPPING_RETRY_MS,
    )


def _request_id(headers: Headers) -> str:
    sent = headers.get("x-request-id", "")
    return sent if _REQUEST_ID.fullmatch(sent) else str(uuid7())
