"""A viewer that reconnects at random over any transport, and records what it receives."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import aiohttp
import socketio
from httpx import AsyncClient

from raglive_contract.cursor import Cursor, Position, parse_cursor
from tests.chaos.history import Checkpoint, History, Violation
from tests.integration.status_server.serving import token
from tests.integration.status_server.watching import Viewer
from tests.relay import AbortingRelay

__all__ = ["RoamingViewer"]

TRANSPORTS = (["websocket"], ["polling"], ["polling", "websocket"])
MAX_CONNECTED_SECONDS = 0.6
RETRY_SECONDS = 0.05
# Raised by the stock client for a lost connection; by aiohttp also RuntimeError.
LOST = (socketio.exceptions.SocketIOError, aiohttp.ClientError, RuntimeError)


class RoamingViewer:
    """Connects, is cut off or leaves at random, and always resumes from its own cursor.

    It connects to status servers by Socket.IO, through relays that are cut at random, and polls the
    dashboard.
    """

    def __init__(
        self, number: int, history: History, servers: Sequence[str], dashboard: AsyncClient
    ) -> None:
        self.number = number
        self.connections = 0
        self.polls = 0
        self.checkpoints: dict[str, Checkpoint] = {}
        self.progressed = asyncio.Event()
        self._history = history
        self._relays = [AbortingRelay(url) for url in servers]
        self._dashboard = dashboard
        self._random = random.Random(random.random())
        self._auth = {"token": token(subject=f"viewer-{number}")}
        self._asking = False
        self._watched: set[str] = set()  # on the current connection
        self._received: set[str] = set()  # pipelines with events
        self._goal: Mapping[str, int] | None = None

    async def run(self) -> None:
        """Reconnect and poll until everything up to the goal was received."""
        try:
            while not self._is_complete():
                if self.checkpoints and self._random.random() < 0.2:
                    await self._poll()
                else:
                    await self._connect_once(self._random.choice(self._relays))
        finally:
            for relay in self._relays:
                await relay.cut()

    @property
    def received(self) -> int:
        """The number of events received, over all logs."""
        return sum(checkpoint.seq for checkpoint in self.checkpoints.values())

    def set_goal(self, goal: Mapping[str, int]) -> None:
        """Set the goal: the last seq of each log."""
        self._goal = goal
        self.progressed.set()

    def incomplete(self, ends: Mapping[str, int]) -> dict[str, tuple[int, int]]:
        """Map each incomplete log to the last received seq and the last seq."""
        reached = {
            name: self.checkpoints[name].seq if name in self.checkpoints else 0 for name in ends
        }
        return {name: (reached[name], end) for name, end in ends.items() if reached[name] != end}

    def _is_complete(self) -> bool:
        return self._goal is not None and not self.incomplete(self._goal)

    async def _poll(self) -> None:
        """Poll the dashboard once, and check the cursor that it returns."""
        self.polls += 1
        asked: dict[str, str | float] = {
            "cursor": self._cursor(),
            "wait": self._random.choice([0, 0.3]),
        }
        bearer = {"Authorization": f"Bearer {self._auth['token']}"}
        answer = await self._dashboard.get("/api/rag-status", params=asked, headers=bearer)
        if answer.status_code not in {200, 304, 503}:
            self._violation(f"a poll was answered by {answer.status_code}: {answer.text[:200]}")
        if answer.status_code != 200:
            await asyncio.sleep(RETRY_SECONDS)
            return
        body = answer.json()
        for event in body["events"]:
            self._take_event(event)
        positions = parse_cursor(body["next_cursor"]).positions.values()
        follows = str(Cursor.of(position for position in positions if position.seq))
        if follows != self._cursor():
            self._violation(f"a poll's cursor is {body['next_cursor']} and not {self._cursor()}")

    async def _connect_once(self, relay: AbortingRelay) -> None:
        await relay.restore()
        connection = _Connection(relay.dsn, self)
        self._watched.clear()
        self._asking = False
        try:
            with suppress(*LOST):
                await connection.connect(self._auth, self._random.choice(TRANSPORTS))
                self.connections += 1
                await self._stay_connected(connection)
        finally:
            if self._random.random() < 0.7:
                await relay.cut()
            await connection.close()
        if not connection.received:
            await asyncio.sleep(RETRY_SECONDS)

    async def _stay_connected(self, connection: _Connection) -> None:
        await self._subscribe(connection)
        while not connection.closed.is_set() and not self._is_complete():
            stay = MAX_CONNECTED_SECONDS * self._random.random()
            if await self._is_disturbed(connection, stay):
                continue
            if self._random.random() < 0.6:
                return
            await self._subscribe(connection)

    async def _is_disturbed(self, connection: _Connection, seconds: float) -> bool:
        """Wait; True when the connection was lost, or when the goal was set or reached."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        had_goal = self._goal is not None
        while loop.time() < end:
            self.progressed.clear()
            if (
                connection.closed.is_set()
                or self._is_complete()
                or had_goal != (self._goal is not None)
            ):
                return True
            with suppress(TimeoutError):
                async with asyncio.timeout_at(end):
                    await self.progressed.wait()
        return False

    async def _subscribe(self, connection: _Connection) -> None:
        known = list(self.checkpoints)
        named: dict[str, Any] = {}
        if known and self._goal is None and self._random.random() < 0.3:
            named = {"pipeline_id": self._random.sample(known, self._random.randint(1, len(known)))}
        fields = {
            "batch": self._random.random() < 0.5,
            "cursor": self._cursor(*named.get("pipeline_id", known)),
            **named,
        }
        self._asking = True
        answer = await connection.ask("subscribe", fields)
        if not answer["ok"] and not answer["error"]["retryable"]:
            self._violation(f"was refused: {answer['error']}")

    def _cursor(self, *names: str) -> str:
        checkpoints = [self.checkpoints[name] for name in names or self.checkpoints]
        return (
            str(Cursor.of(Position(one.epoch, one.seq) for one in checkpoints))
            if checkpoints
            else "-1"
        )

    def take(self, kind: str, body: Any) -> None:
        """Record a received message; called in the order of arrival."""
        if kind == "answer:subscribe":
            self._asking = False
            for answer in body.get("pipelines", []):
                self._take_answer(answer)
        elif kind == "events:batch":
            for event in body["events"]:
                if "seq" in event:
                    self._take_event(event)
        elif kind == "pipeline:status":
            self._take_status(body)
        elif isinstance(body, dict) and "seq" in body:
            self._take_event(body)
        self.progressed.set()

    def _take_status(self, status: dict[str, Any]) -> None:
        name = status["pipeline_id"]
        if name in self._watched:
            self._violation(f"a status of a subscribed pipeline: {name}")
        if name not in self.checkpoints:
            self._record(self._checkpoint(status))

    def _take_answer(self, answer: dict[str, Any]) -> None:
        if not answer["recovered"] or answer["snapshot"]["cursor"] != answer["cursor"]:
            self._violation(f"not recovered although no cursor was too old: {answer}")
        self._watched.add(answer["pipeline_id"])
        self._record(self._checkpoint(answer))

    def _take_event(self, event: dict[str, Any]) -> None:
        name = event["pipeline_id"]
        [position] = parse_cursor(event["cursor"]).positions.values()
        checkpoint = self.checkpoints.get(name)
        if checkpoint is None or (
            self._asking and event["seq"] == 1 and name not in self._received
        ):
            # A status may have come before the replay from the beginning.
            checkpoint = self._record(Checkpoint(self.number, name, position.epoch, 0, ""))
        if self._asking and event["seq"] <= checkpoint.seq:
            return  # sent live before the replay
        if position != Position(checkpoint.epoch, event["seq"]):
            self._violation(f"event {event['seq']} of {name} has the cursor {event['cursor']}")
        self._received.add(name)
        self.checkpoints[name] = self._history.receive(checkpoint, event)

    def _checkpoint(self, status: dict[str, Any]) -> Checkpoint:
        [position] = parse_cursor(status["cursor"]).positions.values()
        name, digest = status["pipeline_id"], status["digest"]
        return Checkpoint(self.number, name, position.epoch, position.seq, digest)

    def _record(self, checkpoint: Checkpoint) -> Checkpoint:
        self._history.note(checkpoint)
        self.checkpoints[checkpoint.pipeline_id] = checkpoint
        return checkpoint

    def _violation(self, what: str) -> None:
        self._history.note(Violation(self.number, what))


class _Connection(Viewer):
    """One connection of a roaming viewer."""

    def __init__(self, url: str, viewer: RoamingViewer) -> None:
        super().__init__(url)
        self._viewer = viewer
        self.socket.on("disconnect", self._on_disconnect, namespace=self._namespace)

    def _on_disconnect(self, *reason: Any) -> None:
        self._disconnected(*reason)
        self._viewer.progressed.set()

    def _note(self, event: str, *data: Any) -> None:
        super()._note(event, *data)
        self._viewer.take(event, data[0] if data else None)
