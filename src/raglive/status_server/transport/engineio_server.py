"""Engine.IO 4 sessions that pass the protocol's own test suite.

python-engineio keeps routing, CORS, payload and packet encoding. This module replaces its session
and its handshake: one poll at a time, heartbeats on timers, an upgrade that loses nothing, and a
close that leaves nothing behind.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs

import engineio
import structlog
from engineio import async_socket, exceptions, packet
from starlette.types import Receive, Scope, Send

from raglive.status_server.transport.connection_writer import ConnectionWriter, writer_of
from raglive.status_server.transport.outbound_queue import OutboundQueue

__all__ = ["EngineServer", "EngineSession"]

log = structlog.get_logger()

UPGRADE_SECONDS = 10.0
_SESSION_ID = re.compile(r"[A-Za-z0-9_-]{20}\.[a-z0-9-]{0,32}\.[0-9a-f]{6}")
# A close packet, and one that cannot be read: JavaScript's client connects again after a close,
# python-engineio only after an error, and neither reads on after the packet that it acts upon.
CLOSED_ELSEWHERE = b"1\x1e?"
UNREAD_ANSWERS_SECONDS = 8.0  # until a client that sends but does not read is closed


class EngineServer(engineio.AsyncServer):  # type: ignore[misc]  # engineio is untyped
    """The Engine.IO sessions of this process; each one times itself out.

    Session ids end with the server's name, by which a proxy finds it, and a tag of the process.
    """

    def __init__(self, *, name: str = "", **options: Any) -> None:
        super().__init__(**options, monitor_clients=False)
        self._tag = f".{name}.{secrets.token_hex(3)}"
        self._closing: set[asyncio.Task[None]] = set()
        self.dropped = 0

    def create_queue(self, *_: Any, **__: Any) -> OutboundQueue:
        """Make the queue of a new session."""
        return OutboundQueue()

    def generate_id(self) -> str:
        """Make an id that no server has used."""
        return f"{super().generate_id()}{self._tag}"

    async def handle_request(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request; accepts and closes a second WebSocket of an upgraded session.

        A poll of another process' session is answered as closed, so that the client starts again.
        """
        query = parse_qs(scope["query_string"].decode("latin-1"))
        sid = query.get("sid", [""])[0]
        session = self.sockets.get(sid)
        if scope["type"] == "websocket" and session is not None and session.upgraded:
            await receive()
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close"})
        elif scope.get("method") == "GET" and self._is_elsewhere(sid):
            await self._answer_closed(scope, receive, send)
        else:
            await super().handle_request(scope, receive, send)

    def close_in_background(self, closing: Coroutine[Any, Any, None]) -> None:
        """Run the close of a session that a timer has ended."""
        task = asyncio.create_task(closing, name="engine-close")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    def _is_elsewhere(self, sid: str) -> bool:
        return _SESSION_ID.fullmatch(sid) is not None and not sid.endswith(self._tag)

    async def _answer_closed(self, scope: Scope, receive: Receive, send: Send) -> None:
        environ = await self._async["translate_request"](scope, receive, send)
        answer = self._ok() | {"response": CLOSED_ELSEWHERE}
        await self._make_response(answer, environ)

    async def _handle_connect(
        self, environ: dict[str, Any], transport: str, jsonp_index: int | None = None
    ) -> Any:
        session = EngineSession(self, self.generate_id())
        self.sockets[session.sid] = session
        handshake = self._handshake(session.sid, transport)
        session.queue.put_nowait(packet.Packet(packet.OPEN, handshake))
        await self._trigger_event("connect", session.sid, environ, run_async=False)
        session.schedule_ping()
        if transport == "websocket":
            return await session.handle_get_request(environ)
        session.connected = True
        return self._ok(session.queue.take_all(), jsonp_index=jsonp_index)

    def _handshake(self, sid: str, transport: str) -> dict[str, Any]:
        return {
            "sid": sid,
            "upgrades": self._upgrades(sid, transport),
            "pingTimeout": round(self.ping_timeout * 1000),
            "pingInterval": round(self.ping_interval * 1000),
            "maxPayload": self.max_http_buffer_size,
        }

    def _ok(self, packets: Any = None, headers: Any = None, jsonp_index: int | None = None) -> Any:
        answer = super()._ok(packets, headers, jsonp_index)
        if packets is None:
            answer["response"] = b"ok"
        return answer

    def _log_error_once(self, message: str, message_key: str) -> None:
        log.warning("engineio_request_refused", reason=message[:200], kind=message_key)

    def _method_not_found(self) -> Any:
        return self._bad_request("Bad handshake method")


class EngineSession(async_socket.AsyncSocket):  # type: ignore[misc]  # engineio is untyped
    """One client, across its transports."""

    queue: OutboundQueue
    connected: bool
    upgrading: bool
    upgraded: bool
    closing: bool
    closed: bool

    def __init__(self, server: EngineServer, sid: str) -> None:
        super().__init__(server, sid)
        self._polling = False
        self._writer: ConnectionWriter | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def transport(self) -> str:
        """The transport in use: `websocket` or `polling`."""
        return "websocket" if self.upgraded else "polling"

    async def send(self, pkt: Any) -> None:
        """Queue a packet. Raises `SocketIsClosedError`."""
        if self.closed:
            raise exceptions.SocketIsClosedError
        self.queue.put_nowait(pkt)

    async def receive(self, pkt: Any) -> None:
        """Act on a client's packet; types without a meaning here are ignored."""
        match pkt.packet_type:
            case packet.PONG:
                self.schedule_ping()
            case packet.MESSAGE:
                await self._receive_message(pkt)
            case packet.CLOSE:
                await self.close(abort=True, reason=self.server.reason.CLIENT_DISCONNECT)

    async def handle_get_request(self, environ: dict[str, Any]) -> Any:
        """Answer a poll, or serve a WebSocket until it ends."""
        if environ["asgi.scope"]["type"] == "websocket":
            self._writer = writer_of(environ["asgi.scope"])
            return await self._upgrade_websocket(environ)
        if self.upgrading:
            return [packet.Packet(packet.NOOP)]
        if self._polling:
            await self.close(reason=self.server.reason.TRANSPORT_ERROR)
            raise exceptions.EngineIOError("two polls at once")
        self._polling = True
        try:
            return await self._poll(environ["asgi.receive"])
        finally:
            self._polling = False

    async def close(
        self,
        wait: bool = True,  # noqa: ARG002 - engineio's signature; never waits for a client to read
        abort: bool = False,
        reason: str | None = None,
    ) -> None:
        """End the session; with `abort` without a close packet."""
        if self.closed or self.closing:
            return
        self.closing = True
        self.queue.detach()
        if self._timer is not None:
            self._timer.cancel()
        await self.server._trigger_event(  # noqa: SLF001 - the session's own server
            "disconnect", self.sid, reason or self.server.reason.SERVER_DISCONNECT, run_async=False
        )
        if not abort:
            self.queue.put_nowait(packet.Packet(packet.CLOSE))
        elif self._polling:
            self.queue.put_nowait(packet.Packet(packet.NOOP))
        self.closed = True
        self.queue.put_nowait(None)
        self.server.sockets.pop(self.sid, None)

    def schedule_ping(self) -> None:
        """Restart the heartbeat: a ping after the interval, then the pong time-out."""
        if self.closing:
            return
        if self._timer is not None:
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self.server.ping_interval, self._ping, loop.time())

    def _ping(self, last_pong_at: float) -> None:
        self.queue.put_nowait(packet.Packet(packet.PING))
        deadline = last_pong_at + self.server.ping_interval + self.server.ping_timeout
        self._timer = asyncio.get_running_loop().call_at(deadline, self._time_out)

    def _time_out(self) -> None:
        self.server.close_in_background(self.close(reason=self.server.reason.PING_TIMEOUT))

    async def _receive_message(self, pkt: Any) -> None:
        """Dispatch a message once the client has read earlier answers, or close the session."""
        if not await self.queue.drained(UNREAD_ANSWERS_SECONDS):
            log.warning("answers_not_read", session=self.sid[:6])
            await self.close(abort=True, reason=self.server.reason.TRANSPORT_ERROR)
        if not self.closed:
            await self.server._trigger_event(  # noqa: SLF001 - the session's own server
                "message", self.sid, pkt.data, run_async=False
            )

    async def _poll(self, receive: Receive) -> list[Any]:
        """Wait for packets; a client that abandons the poll ends its session."""
        packet_taken = asyncio.ensure_future(self.queue.get())
        client_gone = asyncio.ensure_future(receive())
        try:
            await asyncio.wait({packet_taken, client_gone}, return_when=asyncio.FIRST_COMPLETED)
            if client_gone.done():
                await self.close(abort=True, reason=self.server.reason.TRANSPORT_CLOSE)
                raise exceptions.EngineIOError("the client abandoned the poll")
        finally:
            packet_taken.cancel()
            client_gone.cancel()
        first = packet_taken.result()
        if first is None:
            return []
        self.queue.sent(first)
        return [first, *self.queue.take_all()]

    async def _websocket_handler(self, ws: Any) -> None:
        if not self.connected:
            self.connected = self.upgraded = True
        elif not await self._upgrade(ws):
            return
        if self._writer is not None:
            self.queue.attach(self._writer)
        writing = asyncio.create_task(self._write(ws), name="engine-write")
        try:
            await self._read(ws)
        finally:
            await self.close(abort=True, reason=self.server.reason.TRANSPORT_CLOSE)
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            self.queue.drop()
            self.server.dropped += self.queue.dropped

    async def _upgrade(self, ws: Any) -> bool:
        """Run the upgrade handshake; False when the client does not complete it."""
        if self.upgrading or self.closed:
            return False
        try:
            async with asyncio.timeout(UPGRADE_SECONDS):
                if await ws.wait() != "2probe":
                    return False
                self.upgrading = True
                await ws.send("3probe")
                if self._polling:
                    self.queue.put_nowait(packet.Packet(packet.NOOP))
                self.upgraded = await ws.wait() == "5" and not self.closed
        except (OSError, TimeoutError):
            return False
        finally:
            self.upgrading = False
        return self.upgraded

    async def _write(self, ws: Any) -> None:
        try:
            while (pkt := await self.queue.get()) is not None:
                await ws.send(pkt.encode())
                self.queue.sent(pkt)
        finally:
            await ws.close()

    async def _read(self, ws: Any) -> None:
        with suppress(OSError):
            while not self.closed:
                data = await ws.wait()
                await self.receive(packet.Packet(encoded_packet=data))
        if self.closed:
            with suppress(OSError):  # read on until the close packet is written
                while True:
                    await ws.wait()
