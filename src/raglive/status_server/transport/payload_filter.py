"""Middleware before Engine.IO: admits handshakes, and refuses malformed packets and payloads."""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Awaitable, Callable
from contextlib import suppress
from urllib.parse import parse_qs

import structlog
from engineio.payload import Payload
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from raglive.http_api.responses import error_response, refuse
from raglive.status_server.transport.http_server import MAX_MESSAGE_BYTES
from raglive_contract.errors import ErrorCode, RagliveError

__all__ = ["PayloadFilter"]

log = structlog.get_logger()

SEPARATOR = "\x1e"
MAX_PACKETS = 2000  # in one payload; python-engineio drops all after the sixteenth by default
PACKET_TYPES = frozenset("123456")

Payload.max_decode_packets = MAX_PACKETS


class PayloadFilter:
    """Guards every request below `path`.

    `admit` raises the refusal of a request; its second argument says whether the request opens a
    session. `close_session` ends a session that sent a malformed payload.
    """

    def __init__(
        self,
        app: ASGIApp,
        path: str,
        *,
        admit: Callable[[Scope, bool], None],
        close_session: Callable[[str], Awaitable[None]],
    ) -> None:
        self._app = app
        self._path = f"/{path.strip('/')}/"
        self._admit = admit
        self._close_session = close_session

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        is_request = scope["type"] in {"http", "websocket"}
        if not is_request or not f"{scope['path']}/".startswith(self._path):
            await self._app(scope, receive, send)
            return
        query = parse_qs(scope["query_string"].decode("latin-1"))
        session = query.get("sid", [""])[0]
        try:
            self._admit(scope, not session and scope.get("method") != "OPTIONS")
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

    async def _post(self, session: str, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await _read_body(receive)
            _check_payload(body)
        except RagliveError as refusal:
            log.warning("payload_refused", reason=refusal.message)
            await self._close_session(session)
            await _refuse(refusal, scope, receive, send)
            return
        await self._app(_with_length(scope, len(body)), _replayed(body, receive), send)


async def _read_body(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > MAX_MESSAGE_BYTES:
            raise RagliveError(
                f"The payload is larger than {MAX_MESSAGE_BYTES} bytes. Send less at once.",
                code=ErrorCode.PAYLOAD_TOO_LARGE,
            )
        if not message.get("more_body", False):
            return bytes(body)


def _checked(receive: Receive, send: Send) -> Receive:
    """Wrap `receive`: a malformed packet closes the WebSocket."""

    async def checked() -> Message:
        message = await receive()
        text = message.get("text")
        fault = None if text is None else _packet_fault(text)
        if fault is None:
            return message
        log.warning("packet_refused", reason=fault)
        with suppress(Exception):  # the connection ends either way
            await send({"type": "websocket.close", "code": 1008, "reason": fault})
        return {"type": "websocket.disconnect", "code": 1008}

    return checked


def _replayed(body: bytes, receive: Receive) -> Receive:
    """Make a `receive` that gives a body that was read already."""
    pending: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return pending.pop() if pending else await receive()

    return replayed


def _check_payload(body: bytes) -> None:
    try:
        packets = body.decode().split(SEPARATOR)
    except UnicodeDecodeError:
        raise _malformed("it is not UTF-8") from None
    if len(packets) > MAX_PACKETS:
        raise _malformed(f"it holds more than {MAX_PACKETS} packets")
    for packet in packets:
        if fault := _packet_fault(packet):
            raise _malformed(fault)


def _packet_fault(packet: str) -> str | None:
    kind, rest = packet[:1], packet[1:]
    if kind == "b":
        try:
            b64decode(rest)
        except (binascii.Error, ValueError):
            return "a binary packet is not base64"
        return None
    if kind not in PACKET_TYPES:
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


async def _refuse(refusal: RagliveError, scope: Scope, receive: Receive, send: Send) -> None:
    if scope["type"] == "websocket" or refusal.code != ErrorCode.INVALID_REQUEST:
        await refuse(refusal, scope, receive, send)
        return
    answer = error_response(refusal, scope.get("state", {}).get("request_id"))
    answer.status_code = 400  # the Engine.IO protocol asks for 400
    await answer(scope, receive, send)
