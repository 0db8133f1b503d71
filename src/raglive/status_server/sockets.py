"""Socket.IO as it is served here: strict about what it reads, and quick to let go."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import Any

import orjson
import socketio
import structlog
from socketio import packet

from raglive.contract.errors import ErrorCode, RagliveError
from raglive.settings import Settings

__all__ = ["MAX_MESSAGE_BYTES", "SocketServer"]

log = structlog.get_logger()

MAX_MESSAGE_BYTES = 1_000_000
MAX_ATTACHMENTS = 8
PING_INTERVAL_SECONDS = 25
RESERVED = frozenset(
    {"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"}
)
# What reading a malformed packet raises inside python-socketio.
MALFORMED = (ValueError, TypeError, LookupError, AttributeError, RecursionError)


class SocketServer(socketio.AsyncServer):  # type: ignore[misc]  # socketio is untyped
    """python-socketio, made to survive malformed packets and peers that do not read."""

    def __init__(self, settings: Settings) -> None:
        interval = min(PING_INTERVAL_SECONDS, max(1, settings.socket_timeout // 2))
        super().__init__(
            async_mode="asgi",
            cors_allowed_origins=_origins(settings),
            ping_interval=interval,
            ping_timeout=max(1, settings.socket_timeout - interval),
            max_http_buffer_size=MAX_MESSAGE_BYTES,
            serializer=_Packet,
            json=_Json,
            async_handlers=False,  # one request of a connection after another
            logger=_plain("socketio.server"),
            engineio_logger=_plain("engineio.server"),
        )

    def engine(self, sid: str, namespace: str) -> Any:
        """Return the Engine.IO socket below a connection to a namespace; None when it is gone."""
        return self.eio.sockets.get(self.manager.eio_sid_from_sid(sid, namespace))

    async def expel(self, engine_sid: str) -> None:
        """Close a connection with all its namespaces; what it has not been sent is dropped.

        A client that still reads takes it for a lost connection, and comes back.
        """
        engine = self.eio.sockets.pop(engine_sid, None)
        if engine is None:
            return
        _empty(engine.queue)
        await engine.close(wait=False)
        engine.queue.put_nowait(None)  # ends the writer

    async def expel_all(self, within_seconds: float) -> None:
        """Close every connection, giving them that long to take what they have been sent."""
        engines = list(self.eio.sockets.values())
        with suppress(TimeoutError):
            async with asyncio.timeout(within_seconds):
                while any(engine.queue.qsize() and not engine.closed for engine in engines):  # noqa: ASYNC110 - no event tells
                    await asyncio.sleep(0.01)
        for engine in engines:
            await self.expel(engine.sid)

    async def probed(self, engine_sid: str) -> None:
        """Let a session go on polling whose attempt to change to WebSocket has failed."""
        engine = self.eio.sockets.get(engine_sid)
        if engine is not None and not engine.upgraded:
            engine.upgrading = False

    async def _handle_eio_message(self, eio_sid: str, data: object) -> None:
        try:
            await super()._handle_eio_message(eio_sid, data)
        except MALFORMED as error:
            self._binary_packet.pop(eio_sid, None)
            log.warning("packet_refused", reason=f"{type(error).__name__}: {error}"[:200])
            await self.expel(eio_sid)

    async def _handle_eio_disconnect(self, eio_sid: str, reason: str) -> None:
        await super()._handle_eio_disconnect(eio_sid, reason)
        engine = self.eio.sockets.get(eio_sid)
        if engine is not None and reason == self.reason.CLIENT_DISCONNECT:
            engine.queue.put_nowait(None)  # ends a poll that would wait for nothing

    async def _handle_connect(self, eio_sid: str, namespace: str | None, data: object) -> None:
        if namespace in self.namespace_handlers:
            await super()._handle_connect(eio_sid, namespace, data)
            return
        known = ", ".join(sorted(self.namespace_handlers))
        unknown = RagliveError(
            f"There is no namespace {(namespace or '/')[:64]}. There are {known}.",
            code=ErrorCode.NOT_FOUND,
        )
        refusal = {"message": "Invalid namespace", "data": {"error": unknown.body()}}
        answer = self.packet_class(packet.CONNECT_ERROR, data=refusal, namespace=namespace)
        await self._send_packet(eio_sid, answer)


class _Json:
    """orjson in the form that python-socketio asks for: deep nesting is an error like any other."""

    @staticmethod
    def dumps(value: object, **_: object) -> str:
        return orjson.dumps(value).decode()

    @staticmethod
    def loads(text: str) -> Any:
        return orjson.loads(text)


class _Packet(packet.Packet):  # type: ignore[misc]  # socketio is untyped
    """A packet that is what the protocol says, or one of `MALFORMED`."""

    def decode(self, encoded_packet: object) -> int:
        if not isinstance(encoded_packet, str):
            raise TypeError("binary data that no packet announced")
        attachments: int = super().decode(encoded_packet)
        if attachments > MAX_ATTACHMENTS or not self._is_valid():
            raise ValueError(f"a packet of type {self.packet_type} that cannot be")
        return attachments

    def add_attachment(self, attachment: object) -> bool:
        if not isinstance(attachment, bytes):
            raise TypeError("text in place of binary data")
        return bool(super().add_attachment(attachment))

    def _is_valid(self) -> bool:
        data = self.data
        match self.packet_type:
            case packet.CONNECT:
                return data is None or isinstance(data, dict)
            case packet.DISCONNECT:
                return data is None
            case packet.EVENT | packet.BINARY_EVENT:
                named = isinstance(data, list) and bool(data) and isinstance(data[0], str)
                return named and data[0] not in RESERVED
            case packet.ACK | packet.BINARY_ACK:
                return isinstance(data, list)
        return False


def _empty(queue: asyncio.Queue[Any]) -> None:
    with suppress(asyncio.QueueEmpty):
        while True:
            queue.get_nowait()
            queue.task_done()


def _plain(name: str) -> logging.Logger:
    """Return a library's logger without the handler it would give itself.

    What is no exception is a client's fault, and is told to the client.
    """
    logger = logging.getLogger(name)
    logger.setLevel(logging.ERROR)
    logger.addFilter(_is_exception)
    return logger


def _is_exception(record: logging.LogRecord) -> bool:
    return record.exc_info is not None


def _origins(settings: Settings) -> list[str]:
    hosts = {"127.0.0.1", "localhost", "[::1]", settings.host, *settings.allowed_hosts}
    own = [
        f"{scheme}://{host}:{port}"
        for host in sorted(hosts)
        for port in (settings.dashboard_port, settings.status_port)
        for scheme in ("http", "https")
    ]
    return [*own, *settings.cors_origins]
