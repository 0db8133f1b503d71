"""Engine.IO 4 to the letter: one poll at a time, timed heartbeats, and every end is clean.

python-engineio passes two thirds of the protocol's own test suite. What it lacks is here; its
parsing, its routes and its answers are kept.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any
from urllib.parse import parse_qs

import engineio
import structlog
from engineio import async_socket, exceptions, packet
from starlette.types import Receive, Scope, Send

from raglive.status_server.transport.connection import Wire, wire_of
from raglive.status_server.transport.outbox import Outbox

__all__ = ["Engine", "Session"]

log = structlog.get_logger()

UPGRADE_SECONDS = 10.0
UNREAD_SECONDS = 8.0  # until a connection that asks and does not read its answers is closed


class Engine(engineio.AsyncServer):  # type: ignore[misc]  # engineio is untyped
    """The sessions; each times and ends itself."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options, monitor_clients=False)
        self._ending: set[asyncio.Task[None]] = set()
        self.dropped = 0

    def create_queue(self, *_: Any, **__: Any) -> Outbox:
        """Return the queue of a session."""
        return Outbox()

    async def handle_request(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; a session's second WebSocket is opened only to be closed."""
        query = parse_qs(scope["query_string"].decode("latin-1"))
        session = self.sockets.get(query.get("sid", [""])[0])
        if scope["type"] == "websocket" and session is not None and session.upgraded:
            await receive()
            await send({"type": "websocket.accept"})
            await send({"type": "websocket.close"})
        else:
            await super().handle_request(scope, receive, send)

    def end(self, closing: Coroutine[Any, Any, None]) -> None:
        """Close a session whose time is up."""
        task = asyncio.create_task(closing, name="engine-end")
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _handle_connect(
        self, environ: dict[str, Any], transport: str, jsonp_index: int | None = None
    ) -> Any:
        session = Session(self, self.generate_id())
        self.sockets[session.sid] = session
        session.queue.put_nowait(packet.Packet(packet.OPEN, self._opening(session.sid, transport)))
        await self._trigger_event("connect", session.sid, environ, run_async=False)
        session.schedule_ping()
        if transport == "websocket":
            return await session.handle_get_request(environ)
        session.connected = True
        return self._ok(session.queue.take_all(), jsonp_index=jsonp_index)

    def _opening(self, sid: str, transport: str) -> dict[str, Any]:
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
        log.info("request_refused", reason=message[:200], kind=message_key)

    def _method_not_found(self) -> Any:
        return self._bad_request("Bad handshake method")


class Session(async_socket.AsyncSocket):  # type: ignore[misc]  # engineio is untyped
    """One client, on one transport after another."""

    queue: Outbox
    connected: bool
    upgrading: bool
    upgraded: bool
    closing: bool
    closed: bool

    def __init__(self, server: Engine, sid: str) -> None:
        super().__init__(server, sid)
        self._polling = False
        self._wire: Wire | None = None
        self._timer: asyncio.TimerHandle | None = None

    @property
    def transport(self) -> str:
        """Return the name of the transport in use."""
        return "websocket" if self.upgraded else "polling"

    async def send(self, pkt: Any) -> None:
        """Queue a packet."""
        if self.closed:
            raise exceptions.SocketIsClosedError
        self.queue.put_nowait(pkt)

    async def receive(self, pkt: Any) -> None:
        """Act on a packet of the client; pass over those that mean nothing here."""
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
            self._wire = wire_of(environ["asgi.scope"])
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
        wait: bool = True,  # noqa: ARG002 - engineio's; nobody waits for a client that may never read
        abort: bool = False,
        reason: str | None = None,
    ) -> None:
        """End the session; with `abort` without telling the client, who knows."""
        if self.closed or self.closing:
            return
        self.closing = True
        self.queue.detach()
        if self._timer is not None:
            self._timer.cancel()
        await self.server._trigger_event(  # noqa: SLF001 - of its own server
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
        """Start the next beat: a ping after the interval, the end unless it is answered in time."""
        if self.closing:
            return
        if self._timer is not None:
            self._timer.cancel()
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self.server.ping_interval, self._ping, loop.time())

    def _ping(self, heard_at: float) -> None:
        self.queue.put_nowait(packet.Packet(packet.PING))
        end_at = heard_at + self.server.ping_interval + self.server.ping_timeout
        self._timer = asyncio.get_running_loop().call_at(end_at, self._time_out)

    def _time_out(self) -> None:
        self.server.end(self.close(reason=self.server.reason.PING_TIMEOUT))

    async def _receive_message(self, pkt: Any) -> None:
        """Hand on a message, unless the answers to earlier ones are not read."""
        if not await self.queue.room(UNREAD_SECONDS):
            log.warning("answers_not_read", session=self.sid[:6])
            await self.close(abort=True, reason=self.server.reason.TRANSPORT_ERROR)
        if not self.closed:
            await self.server._trigger_event(  # noqa: SLF001 - of its own server
                "message", self.sid, pkt.data, run_async=False
            )

    async def _poll(self, receive: Any) -> list[Any]:
        """Wait for packets; a client that goes away meanwhile has ended its session."""
        taking = asyncio.ensure_future(self.queue.get())
        leaving = asyncio.ensure_future(receive())
        try:
            await asyncio.wait({taking, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if leaving.done():
                await self.close(wait=False, abort=True, reason=self.server.reason.TRANSPORT_CLOSE)
                raise exceptions.EngineIOError("the poll was given up")
        finally:
            taking.cancel()
            leaving.cancel()
        first = taking.result()
        if first is None:
            return []
        self.queue.sent(first)
        return [first, *self.queue.take_all()]

    async def _websocket_handler(self, ws: Any) -> None:
        if not self.connected:
            self.connected = self.upgraded = True
        elif not await self._upgrade(ws):
            return
        if self._wire is not None:
            self.queue.attach(self._wire)
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
        """Change to WebSocket; say whether the client went through with it."""
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
            with suppress(OSError):  # until what was written last has been sent
                while True:
                    await ws.wait()
