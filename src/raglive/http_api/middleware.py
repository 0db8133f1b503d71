"""Around every request: an id in and out, one line in the log, and an answer whatever happens."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uuid6 import uuid7

from raglive.http_api.hosts import client_address
from raglive.http_api.metrics import Metrics
from raglive.http_api.responses import error_response, refuse, unexpected
from raglive_contract.errors import ErrorCode, RagliveError

__all__ = ["AddressLimit", "BodyLimit", "RequestLog"]

log = structlog.get_logger()

_UNLIMITED = ("/health", "/api/health")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}", re.ASCII)


class RequestLog:
    """The outermost middleware: names, times and logs each request; catches what nobody caught."""

    def __init__(self, app: ASGIApp, metrics: Metrics | None = None) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with an id, and log how it ended."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = _request_id(Headers(scope=scope))
        scope.setdefault("state", {})["request_id"] = request_id
        answer = _Answer(send, request_id)
        started = time.perf_counter()
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            try:
                await self._app(scope, receive, answer)
            except Exception:
                log.exception("request_failed", method=scope["method"], path=scope["path"])
                if answer.status is not None:
                    raise
                await error_response(unexpected(), request_id)(scope, receive, answer)
            finally:
                if self._metrics is not None:
                    self._metrics.note_request(scope["method"], answer.status, started)
                # a page that polls says nothing new by it
                log_request = log.debug if answer.status == 304 else log.info
                log_request(
                    "request",
                    method=scope["method"],
                    path=scope["path"],
                    status=answer.status,
                    duration_ms=round((time.perf_counter() - started) * 1000, 2),
                )


class BodyLimit:
    """Refuses bodies of more than `limit` bytes, announced or not."""

    def __init__(self, app: ASGIApp, limit: int) -> None:
        self._app = app
        self._limit = limit
        self._complaint = f"The body is larger than {limit} bytes. Send less at once."

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on while its body is small enough."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        announced = Headers(scope=scope).get("content-length", "0")
        if announced.isdigit() and int(announced) > self._limit:
            refusal = RagliveError(self._complaint, code=ErrorCode.PAYLOAD_TOO_LARGE)
            request_id = scope.get("state", {}).get("request_id")
            await error_response(refusal, request_id)(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._limit:
                raise HTTPException(413, self._complaint)
            return message

        await self._app(scope, counted, send)


class AddressLimit:
    """Refuses the requests of an address that `count` raises a `RagliveError` for."""

    def __init__(self, app: ASGIApp, count: Callable[[str], None]) -> None:
        self._app = app
        self._count = count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        if scope["type"] == "http" and not scope["path"].startswith(_UNLIMITED):
            try:
                self._count(client_address(scope))
            except RagliveError as error:
                await refuse(error, scope, receive, send)
                return
        await self._app(scope, receive, send)


class _Answer:
    """Sends on what the application answers, with the request's id."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._request_id = request_id
        self.status: int | None = None

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            MutableHeaders(scope=message)["X-Request-ID"] = self._request_id
        await self._send(message)


def _request_id(headers: Headers) -> str:
    given = headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else str(uuid7())
