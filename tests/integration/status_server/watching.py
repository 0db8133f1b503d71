"""A viewer with a stock client, which records and checks everything that it receives."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import aiohttp
import socketio

from raglive_contract.cursor import Cursor, Position, parse_cursor
from raglive_contract.digest import roll
from raglive_contract.permissions import Role
from tests.integration.status_server.serving import token

__all__ = ["LogChecker", "Viewer", "watching"]

SECONDS = 15
NAMESPACE = "/local_files"


@dataclass
class LogChecker:
    """Checks that a viewer sees each event of a log once, in order, without a gap."""

    epoch: str
    seq: int
    digest: bytes
    ids: list[str] = field(default_factory=list)

    def see(self, event: dict[str, Any]) -> None:
        assert event["seq"] == self.seq + 1, f"{event['seq']} came after {self.seq}"
        assert event["cursor"] == str(Position(self.epoch, event["seq"]))
        self.seq = event["seq"]
        self.digest = roll(self.digest, UUID(event["id"]), self.seq)
        self.ids.append(event["id"])


class Viewer:
    """One connection of python-socketio; `received` has events and answers in order of arrival."""

    def __init__(self, url: str, namespace: str = NAMESPACE) -> None:
        self.url = url
        self._namespace = namespace
        self._changed = asyncio.Event()
        self.received: list[tuple[str, Any]] = []
        self.refusal: dict[str, Any] | None = None
        self._sessions: list[aiohttp.ClientSession] = []
        self.socket = socketio.AsyncClient(
            reconnection=False, handle_sigint=False, http_session=self._open_session
        )
        self.socket.on("*", self._note, namespace=namespace)
        self.socket.on("connect_error", self._refused, namespace=namespace)
        self.closed = asyncio.Event()
        self.socket.on("disconnect", self._disconnected, namespace=namespace)

    async def connect(self, auth: object, transports: Iterable[str] = ("websocket",)) -> None:
        await self.socket.connect(
            self.url,
            auth=auth,
            transports=list(transports),
            namespaces=[self._namespace],
            wait_timeout=SECONDS,
        )

    async def ask(self, request: str, data: Any = None) -> Any:
        """Send a request and return its answer, which is also recorded.

        A replay precedes the answer, so every event received restarts the time-out.
        """
        answered = await self.send(request, data)
        while not answered.done():
            if self.closed.is_set():
                raise socketio.exceptions.DisconnectedError
            self._changed.clear()
            async with asyncio.timeout(SECONDS):
                await self._changed.wait()
        return answered.result()

    async def send(self, request: str, data: Any = None) -> asyncio.Future[Any]:
        """Send a request without waiting for its answer, which is recorded when it arrives."""
        answered: asyncio.Future[Any] = asyncio.get_running_loop().create_future()

        def answer(*given: Any) -> None:
            self._note(f"answer:{request}", *given)
            if not answered.done():
                answered.set_result(given[0] if given else None)

        await self.socket.emit(request, data, namespace=self._namespace, callback=answer)
        return answered

    async def subscribe(self, **fields: Any) -> list[dict[str, Any]]:
        answer = await self.ask("subscribe", fields)
        assert answer["ok"], answer
        pipelines: list[dict[str, Any]] = answer["pipelines"]
        return pipelines

    async def until(self, condition: Callable[[], Any]) -> Any:
        """Wait until what was received meets a condition, as long as anything is received."""
        while not (met := condition()):
            self._changed.clear()
            async with asyncio.timeout(SECONDS):
                await self._changed.wait()
        return met

    def of(self, *types: str) -> list[Any]:
        """The received events of these types, with batches unpacked."""
        return [body for kind, body in self.flat() if kind in types]

    def flat(self) -> list[tuple[str, Any]]:
        unpacked: list[tuple[str, Any]] = []
        for kind, body in self.received:
            if kind == "events:batch":
                unpacked += [(event["type"], event) for event in body["events"]]
            else:
                unpacked.append((kind, body))
        return unpacked

    def durable(self, pipeline_id: str | None = None) -> list[dict[str, Any]]:
        return [
            body
            for _, body in self.flat()
            if isinstance(body, dict) and "seq" in body and "cursor" in body
            if pipeline_id in {None, body["pipeline_id"]}
        ]

    async def close(self) -> None:
        try:
            async with asyncio.timeout(SECONDS):
                with suppress(aiohttp.ClientError):  # of a poll that was cut
                    await self.socket.disconnect()
        finally:
            for session in self._sessions:
                await session.close()

    def _open_session(self) -> aiohttp.ClientSession:
        """Open a session for the client, which may lose one: when it polls while it disconnects."""
        session = aiohttp.ClientSession()
        self._sessions.append(session)
        return session

    def _note(self, event: str, *data: Any) -> None:
        self.received.append((event, data[0] if data else None))
        self._changed.set()

    def _refused(self, data: Any) -> None:
        self.refusal = data

    def _disconnected(self, *_: Any) -> None:
        self.closed.set()
        self._changed.set()


@asynccontextmanager
async def watching(
    url: str,
    *,
    role: Role = Role.VIEWER,
    pipelines: Iterable[str] = ("*",),
    ttl: float = 300,
    subject: str = "tester",
    redact: bool = False,
    transports: Iterable[str] = ("websocket",),
    namespace: str = NAMESPACE,
) -> AsyncIterator[Viewer]:
    """A connected viewer, closed at the end."""
    viewer = Viewer(url, namespace)
    try:
        given = token(role, *pipelines, ttl=ttl, subject=subject, redact=redact)
        await viewer.connect({"token": given}, transports)
        yield viewer
    finally:
        await viewer.close()


def cursor_of(checkers: Iterable[LogChecker]) -> str:
    return str(Cursor.of(Position(one.epoch, one.seq) for one in checkers))


def checker_of(answer: dict[str, Any]) -> LogChecker:
    """A checker that starts at the cursor of an answer to `subscribe`."""
    [position] = parse_cursor(answer["cursor"]).positions.values()
    return LogChecker(position.epoch, position.seq, bytes.fromhex(answer["digest"]))
