"""python-socketio with strict parsing, a handshake time-out, and closes that do not wait."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import socketio
import structlog
from socketio import packet

from raglive.http_api.allowed_hosts import client_address
from raglive.status_server.transport.engineio_server import EngineServer, EngineSession
from raglive.status_server.transport.http_server import MAX_MESSAGE_BYTES
from raglive.status_server.transport.strict_parsing import MALFORMED, FastJson, StrictPacket
from raglive.status_server.transport.tested_versions import require_tested
from raglive_contract.errors import ErrorCode, RagliveError

__all__ = ["SocketServer", "TransportState", "heartbeat_times"]

log = structlog.get_logger()

FLUSH_SECONDS = 1.0
PING_INTERVAL_SECONDS = 8  # proxies may close what is idle for ten seconds


def heartbeat_times(timeout_seconds: int) -> tuple[int, int]:
    """Divide the time-out of a silent client into the ping interval and the pong time-out."""
    interval = min(PING_INTERVAL_SECONDS, max(1, timeout_seconds // 2))
    return interval, max(1, timeout_seconds - interval)


@dataclass(frozen=True, slots=True)
class TransportState:
    """The open sessions and their outbound queues at one moment."""

    by_transport: Counter[str]
    queued_packets: int
    held_bytes: int
    most_held_bytes: int
    dropped: int


class SocketServer(socketio.AsyncServer):  # type: ignore[misc]  # socketio is untyped
    """Socket.IO for stock clients; a malformed packet ends its own connection only.

    `count_address` receives each client address with +1 when its session opens and -1 when it
    ends. Origins are checked before, by `PayloadFilter`. Raises `conflict` when the installed
    libraries are outside the tested ranges.
    """

    def __init__(
        self,
        *,
        ping_interval: float,
        ping_timeout: float,
        handshake_seconds: float,
        count_address: Callable[[str, int], None],
        name: str = "",
    ) -> None:
        require_tested("python-engineio", "python-socketio")
        self._count_address = count_address
        self._addresses: dict[str, str] = {}
        self._handshake_seconds = handshake_seconds
        self._handshakes: dict[str, asyncio.TimerHandle] = {}
        super().__init__(
            async_mode="asgi",
            cors_allowed_origins="*",
            ping_interval=ping_interval,
            ping_timeout=ping_timeout,
            max_http_buffer_size=MAX_MESSAGE_BYTES,
            serializer=StrictPacket,
            json=FastJson,
            name=name,
            async_handlers=False,  # the requests of one connection run in order
            logger=_exceptions_only("socketio.server"),
            engineio_logger=_exceptions_only("engineio.server"),
        )

    def engine_session(self, sid: str, namespace: str) -> EngineSession | None:
        """Find the Engine.IO session of a connection to a namespace; None when it has ended."""
        sessions: dict[str, EngineSession] = self.eio.sockets
        return sessions.get(self.manager.eio_sid_from_sid(sid, namespace))

    def session_count(self) -> int:
        """Count the open sessions, with or without a namespace."""
        return len(self.eio.sockets)

    def state(self) -> TransportState:
        """Read the sessions and their queues, for the metrics."""
        sessions: list[EngineSession] = list(self.eio.sockets.values())
        held = [session.queue.held_bytes for session in sessions]
        return TransportState(
            by_transport=Counter(session.transport for session in sessions),
            queued_packets=sum(session.queue.qsize() for session in sessions),
            held_bytes=sum(held),
            most_held_bytes=max(held, default=0),
            dropped=self.eio.dropped,
        )

    async def close_session(self, engine_sid: str) -> None:
        """Close a session with all its namespaces, and drop what it was not sent.

        A client that still reads sees a lost connection, and reconnects.
        """
        session = self.eio.sockets.pop(engine_sid, None)
        if session is None:
            return
        session.queue.drop()
        await session.close()

    async def close_when_flushed(self, engine_sid: str) -> None:
        """Close a session when its queue is empty, or after a second."""
        session = self.eio.sockets.get(engine_sid)
        if session is not None:
            await _flushed([session], FLUSH_SECONDS)
            await self.close_session(engine_sid)

    async def close_all(self, delays: Mapping[str, float]) -> None:
        """Close every session after its delay in seconds, 0 for those without one.

        Sessions that have not read what they were sent by then get one more second together.
        """
        loop = asyncio.get_running_loop()
        began, late = loop.time(), []
        sessions = sorted(self.eio.sockets.values(), key=lambda one: delays.get(one.sid, 0))
        for session in sessions:
            await asyncio.sleep(max(0, began + delays.get(session.sid, 0) - loop.time()))
            if _is_flushed(session):
                await self.close_session(session.sid)
            else:
                late.append(session)
        await _flushed(late, FLUSH_SECONDS)
        for session in late:
            await self.close_session(session.sid)

    def expect_namespace(self, sid: str, namespace: str) -> None:
        """Restart the handshake time-out of a connection that is leaving a namespace."""
        session = self.engine_session(sid, namespace)
        if session is not None:
            self._start_handshake(session.sid)

    def unknown_namespace(self, namespace: str) -> dict[str, Any]:
        """Make the data of a connect error: the protocol's message, and the error object."""
        known = ", ".join(sorted(self.namespace_handlers))
        error = RagliveError(
            f"There is no namespace {namespace[:64]}. There are {known}.",
            code=ErrorCode.NOT_FOUND,
        )
        return {"message": "Invalid namespace", "data": {"error": error.body()}}

    async def _handle_eio_message(self, eio_sid: str, data: object) -> None:
        try:
            await super()._handle_eio_message(eio_sid, data)
        except MALFORMED as error:
            self._binary_packet.pop(eio_sid, None)
            log.warning("packet_refused", reason=f"{type(error).__name__}: {error}"[:200])
            await self.close_session(eio_sid)

    async def _handle_eio_connect(self, eio_sid: str, environ: dict[str, Any]) -> None:
        await super()._handle_eio_connect(eio_sid, environ)
        self._addresses[eio_sid] = client_address(environ["asgi.scope"])
        self._count_address(self._addresses[eio_sid], 1)
        self._start_handshake(eio_sid)

    async def _handle_eio_disconnect(self, eio_sid: str, reason: str) -> None:
        self._binary_packet.pop(eio_sid, None)
        await super()._handle_eio_disconnect(eio_sid, reason)
        self._complete_handshake(eio_sid)
        address = self._addresses.pop(eio_sid, None)
        if address is not None:
            self._count_address(address, -1)

    async def _handle_connect(self, eio_sid: str, namespace: str | None, data: object) -> None:
        name = namespace or "/"
        if name in self.namespace_handlers:
            await super()._handle_connect(eio_sid, namespace, data)
            if self.manager.sid_from_eio_sid(eio_sid, name):
                self._complete_handshake(eio_sid)
            return
        answer = self.packet_class(
            packet.CONNECT_ERROR, data=self.unknown_namespace(name), namespace=namespace
        )
        await self._send_packet(eio_sid, answer)

    def _start_handshake(self, eio_sid: str) -> None:
        self._complete_handshake(eio_sid)
        loop = asyncio.get_running_loop()
        timer = loop.call_later(self._handshake_seconds, self._end_handshake, eio_sid)
        self._handshakes[eio_sid] = timer

    def _complete_handshake(self, eio_sid: str) -> None:
        if timer := self._handshakes.pop(eio_sid, None):
            timer.cancel()

    def _end_handshake(self, eio_sid: str) -> None:
        """Close a session that is in no namespace."""
        self._handshakes.pop(eio_sid, None)
        if any(self.manager.sid_from_eio_sid(eio_sid, name) for name in self.namespace_handlers):
            return
        log.warning(
            "handshake_not_completed",
            address=self._addresses.get(eio_sid),
            within_seconds=self._handshake_seconds,
        )
        self.eio.close_in_background(self.close_session(eio_sid))

    def _engineio_server_class(self) -> type[EngineServer]:
        return EngineServer


async def _flushed(sessions: Sequence[EngineSession], within_seconds: float) -> None:
    """Wait until the sessions have read everything, at most `within_seconds`."""
    with suppress(TimeoutError):
        async with asyncio.timeout(within_seconds):
            while not all(map(_is_flushed, sessions)):  # noqa: ASYNC110 - no event reports it
                await asyncio.sleep(0.01)


def _is_flushed(session: EngineSession) -> bool:
    return session.closed or not session.queue.held_bytes


def _exceptions_only(name: str) -> logging.Logger:
    """Make a library's logger report exceptions alone.

    Its other messages are about clients' mistakes, which the client is told. The library adds no
    handler to a logger that it is given.
    """
    logger = logging.getLogger(name)
    logger.setLevel(logging.ERROR)
    logger.addFilter(_is_exception)
    return logger


def _is_exception(record: logging.LogRecord) -> bool:
    return record.exc_info is not None
