"""Before Engine.IO: what is well-formed passes, anything else gets an answer or a clean end."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Awaitable, Callable
from contextlib import suppress
from urllib.parse import parse_qs

import structlog
from engineio.payload import Payload
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from raglive.http_api.hosts import client_address
from raglive.http_api.responses import error_response, refuse
from raglive_contract.errors import ErrorCode, RagliveError

__all__ = ["Gate"]

log = structlog.get_logger()

SEPARATOR = "\x1e"
MAX_PACKETS = 2000  # in one request; stock Engine.IO drops a seventeenth without a word
ENGINE_TYPES = frozenset("123456")

Payload.max_decode_packets = MAX_PACKETS

Act = Callable[[str], Awaitable[None]]


class Gate:
    """Middleware around everything below `path`.

    `expel` closes a session that sent what cannot be read; `check` raises for a request that may
    not be made from where it comes, and `admit` for an address that may not begin another session.
    """

    def __init__(
        self,
        app: ASGIApp,
        path: str,
        *,
        max_bytes: int,
        expel: Act,
        is_draining: Callable[[], bool],
        check: Callable[[Scope], None] = lambda _scope: None,
        admit: Callable[[str], None] = lambda _address: None,
    ) -> None:
        self._app = app
        self._path = f"/{path.strip('/')}/"
        self._max_bytes = max_bytes
        self._expel = expel
        self._is_draining = is_draining
        self._check = check
        self._admit = admit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        is_request = scope["type"] in {"http", "websocket"}
        if not is_request or not f"{scope['path']}/".startswith(self._path):
            await self._app(scope, receive, send)
            return
        query = parse_qs(scope["query_string"].decode("latin-1"))
        session = query.get("sid", [""])[0]
        try:
            self._check(scope)
            if not session and scope.get("method") != "OPTIONS":
                self._let_begin(scope)
            if "transport" not in query:
                raise _no_transport()
        except RagliveError as refusal:
            await _refuse(refusal, scope, receive, send)
            return
        if scope["type"] == "websocket":
            await self._app(scope, _checked(receive, send), send)
        elif scope["method"] == "POST" and session:
            await self._post(session, scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _let_begin(self, scope: Scope) -> None:
        if self._is_draining():
            raise _leaving()
        self._admit(client_address(scope))

    async def _post(self, session: str, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await self._body(receive)
            _check(body)
        except RagliveError as refusal:
            log.info("payload_refused", reason=refusal.message)
            await self._expel(session)
            await _refuse(refusal, scope, receive, send)
            return
        await self._app(_with_length(scope, len(body)), _holding(body, receive), send)

    async def _body(self, receive: Receive) -> bytes:
        body = bytearray()
        while True:
            message = await receive()
            body += message.get("body", b"")
            if len(body) > self._max_bytes:
                raise RagliveError(
                    f"The payload is larger than {self._max_bytes} bytes. Send less at once.",
                    code=ErrorCode.PAYLOAD_TOO_LARGE,
                )
            if not message.get("more_body", False):
                return bytes(body)


def _checked(receive: Receive, send: Send) -> Receive:
    async def checked() -> Message:
        message = await receive()
        text = message.get("text")
        fault = None if text is None else _fault_of_packet(text)
        if fault is None:
            return message
        log.info("packet_refused", reason=fault)
        with suppress(Exception):  # whatever is wrong, it is being closed
            await send({"type": "websocket.close", "code": 1008, "reason": fault})
        return {"type": "websocket.disconnect", "code": 1008}

    return checked


def _holding(body: bytes, receive: Receive) -> Receive:
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def held() -> Message:
        return waiting.pop() if waiting else await receive()

    return held


def _check(body: bytes) -> None:
    try:
        packets = body.decode().split(SEPARATOR)
    except UnicodeDecodeError:
        raise _malformed("it is not UTF-8") from None
    if len(packets) > MAX_PACKETS:
        raise _malformed(f"it holds more than {MAX_PACKETS} packets")
    for packet in packets:
        if fault := _fault_of_packet(packet):
            raise _malformed(fault)


def _fault_of_packet(packet: str) -> str | None:
    kind, rest = packet[:1], packet[1:]
    if kind == "b":
        try:
            b64decode(rest)
        except (binascii.Error, ValueError):
            return "a binary packet is not base64"
        return None
    if kind not in ENGINE_TYPES:
        return "a packet is not of Engine.IO 4"
    return None


def _with_length(scope: Scope, length: int) -> Scope:
    headers = [
        (name, value)
        for name, value in scope["headers"]
        if name not in {b"content-length", b"transfer-encoding"}
    ]
    return {**scope, "headers": [*headers, (b"content-length", str(length).encode())]}


def _malformed(why: str) -> RagliveError:
    return RagliveError(f"The payload is refused: {why}.", code=ErrorCode.INVALID_REQUEST)


def _no_transport() -> RagliveError:
    return RagliveError(
        "The request names no transport. Add `transport=polling` or `transport=websocket`.",
        code=ErrorCode.INVALID_REQUEST,
    )


def _leaving() -> RagliveError:
    return RagliveError(
        "The server is about to stop. Come back in a moment.",
        code=ErrorCode.UNAVAILABLE,
        retryable=True,
        retry_after_ms=1000,
    )


async def _refuse(refusal: RagliveError, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket" or refusal.code != ErrorCode.INVALID_REQUEST:
        await refuse(refusal, scope, receive, send)
        return
    answer = error_response(refusal, scope.get("state", {}).get("request_id"))
    answer.status_code = 400  # as Engine.IO has it
    await answer(scope, receive, send)
