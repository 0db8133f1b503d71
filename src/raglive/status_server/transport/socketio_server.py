"""Socket.IO as it is served here: strict about what it reads, and quick to let go."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from typing import Any

import orjson
import socketio
import structlog
from socketio import packet

from raglive.http_api.hosts import client_address
from raglive.settings import Settings
from raglive.status_server.admission import Origins
from raglive.status_server.transport.engineio import Engine, Session
from raglive_contract.errors import ErrorCode, RagliveError

__all__ = ["MAX_MESSAGE_BYTES", "SocketServer", "socket_server"]

log = structlog.get_logger()

MAX_MESSAGE_BYTES = 1_000_000
MAX_ATTACHMENTS = 8
PARTING_SECONDS = 1.0
PING_INTERVAL_SECONDS = 25
JOINING_SECONDS = 45.0  # from the connection to its first namespace, as the stock server has it
RESERVED = frozenset(
    {"connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener"}
)
# What reading a malformed packet raises inside python-socketio.
MALFORMED = (ValueError, TypeError, LookupError, AttributeError, RecursionError)


def socket_server(
    settings: Settings, origins: Origins, count_address: Callable[[str, int], None]
) -> SocketServer:
    """Return the server that the settings describe."""
    interval = min(PING_INTERVAL_SECONDS, max(1, settings.socket_timeout // 2))
    return SocketServer(
        ping_interval=interval,
        ping_timeout=max(1, settings.socket_timeout - interval),
        joining_seconds=settings.handshake_seconds,
        origins=lambda origin, environ: origins.allow(origin, environ["HTTP_HOST"]),
        count_address=count_address,
    )


class SocketServer(socketio.AsyncServer):  # type: ignore[misc]  # socketio is untyped
    """python-socketio, made to survive malformed packets and peers that do not read."""

    def __init__(
        self,
        *,
        ping_interval: float,
        ping_timeout: float,
        joining_seconds: float = JOINING_SECONDS,
        origins: str | Callable[[str, dict[str, Any]], bool] = "*",
        count_address: Callable[[str, int], None] = lambda _address, _change: None,
        explains: bool = True,
    ) -> None:
        self._count_address = count_address
        self._addresses: dict[str, str] = {}
        self._bare_since: dict[str, float] = {}
        super().__init__(
            async_mode="asgi",
            cors_allowed_origins=origins,
            ping_interval=ping_interval,
            ping_timeout=ping_timeout,
            max_http_buffer_size=MAX_MESSAGE_BYTES,
            serializer=_Packet,
            json=_Json,
            async_handlers=False,  # one request of a connection after another
            logger=_plain("socketio.server"),
            engineio_logger=_plain("engineio.server"),
        )
        self._joining_seconds = joining_seconds
        self._joining: dict[str, asyncio.TimerHandle] = {}
        self._explains = explains

    def engine(self, sid: str, namespace: str) -> Session | None:
        """Return the Engine.IO session below a connection to a namespace; None when it is gone."""
        engines: dict[str, Session] = self.eio.sockets
        return engines.get(self.manager.eio_sid_from_sid(sid, namespace))

    def transports(self) -> int:
        """Return how many connections there are, in a namespace or not."""
        return len(self.eio.sockets)

    async def expel(self, engine_sid: str) -> None:
        """Close a connection with all its namespaces; what it has not been sent is dropped.

        A client that still reads takes it for a lost connection, and comes back.
        """
        engine = self.eio.sockets.pop(engine_sid, None)
        if engine is None:
            return
        engine.queue.drop()
        await engine.close()

    async def expel_all(self, after: Mapping[str, float]) -> None:
        """Close every connection, each after its seconds.

        Who has not taken by then what it was sent is closed in the end, and soon.
        """
        loop = asyncio.get_running_loop()
        began, late = loop.time(), []
        for engine in sorted(self.eio.sockets.values(), key=lambda one: after.get(one.sid, 0)):
            await asyncio.sleep(max(0, began + after.get(engine.sid, 0) - loop.time()))
            if _has_taken(engine):
                await self.expel(engine.sid)
            else:
                late.append(engine)
        await _taken(late, PARTING_SECONDS)
        for engine in late:
            await self.expel(engine.sid)

    async def part(self, engine_sid: str) -> None:
        """Close a connection that is given up, when it has taken what it was sent, or soon."""
        engine = self.eio.sockets.get(engine_sid)
        if engine is not None:
            await _taken([engine], PARTING_SECONDS)
            await self.expel(engine_sid)

    async def end_bare(self, occupied: Collection[str], within_seconds: float) -> int:
        """Close connections that have been in no namespace for so long; return how many."""
        now = asyncio.get_running_loop().time()
        bare = [sid for sid in self.eio.sockets if sid not in occupied]
        self._bare_since = {sid: self._bare_since.get(sid, now) for sid in bare}
        late = [sid for sid, since in self._bare_since.items() if now - since > within_seconds]
        for engine_sid in late:
            log.info("connection_bare", address=self._addresses.get(engine_sid))
            await self.expel(engine_sid)
        return len(late)

    async def _handle_eio_message(self, eio_sid: str, data: object) -> None:
        try:
            await super()._handle_eio_message(eio_sid, data)
        except MALFORMED as error:
            self._binary_packet.pop(eio_sid, None)
            log.warning("packet_refused", reason=f"{type(error).__name__}: {error}"[:200])
            await self.expel(eio_sid)

    async def _handle_eio_connect(self, eio_sid: str, environ: dict[str, Any]) -> None:
        await super()._handle_eio_connect(eio_sid, environ)
        self._addresses[eio_sid] = client_address(environ["asgi.scope"])
        self._count_address(self._addresses[eio_sid], 1)
        loop = asyncio.get_running_loop()
        late = loop.call_later(self._joining_seconds, self._end_idle, eio_sid)
        self._joining[eio_sid] = late

    async def _handle_eio_disconnect(self, eio_sid: str, reason: str) -> None:
        self._joined(eio_sid)
        self._binary_packet.pop(eio_sid, None)
        await super()._handle_eio_disconnect(eio_sid, reason)
        address = self._addresses.pop(eio_sid, None)
        if address is not None:
            self._count_address(address, -1)

    async def _handle_connect(self, eio_sid: str, namespace: str | None, data: object) -> None:
        if (namespace or "/") in self.namespace_handlers:
            await super()._handle_connect(eio_sid, namespace, data)
            if self.manager.sid_from_eio_sid(eio_sid, namespace or "/"):
                self._joined(eio_sid)
            return
        answer = self.packet_class(
            packet.CONNECT_ERROR, data=self._no_namespace(namespace), namespace=namespace
        )
        await self._send_packet(eio_sid, answer)

    def _joined(self, eio_sid: str) -> None:
        if late := self._joining.pop(eio_sid, None):
            late.cancel()

    def _end_idle(self, eio_sid: str) -> None:
        log.info("handshake_not_completed", within_seconds=self._joining_seconds)
        self.eio.end(self.expel(eio_sid))

    def _no_namespace(self, namespace: str | None) -> dict[str, Any]:
        """Return the protocol's own words, and beside them what there is."""
        if not self._explains:
            return {"message": "Invalid namespace"}
        known = ", ".join(sorted(self.namespace_handlers))
        unknown = RagliveError(
            f"There is no namespace {(namespace or '/')[:64]}. There are {known}.",
            code=ErrorCode.NOT_FOUND,
        )
        return {"message": "Invalid namespace", "data": {"error": unknown.body()}}

    def _engineio_server_class(self) -> type[Engine]:
        return Engine


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


async def _taken(engines: Sequence[Any], within_seconds: float) -> None:
    """Wait until everything was taken that is to be sent, at most so long."""
    with suppress(TimeoutError):
        async with asyncio.timeout(within_seconds):
            while not all(map(_has_taken, engines)):  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(0.01)


def _has_taken(engine: Any) -> bool:
    return engine.closed or not engine.queue.held_bytes


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
