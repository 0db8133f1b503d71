"""A viewer that comes and goes at random, by any transport, and notes what it receives."""

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
from tests.chaos.history import Fault, History, Stand
from tests.integration.status_server.serving import token
from tests.integration.status_server.watching import Viewer
from tests.relay import Road

__all__ = ["Nomad"]

TRANSPORTS = (["websocket"], ["polling"], ["polling", "websocket"])
LONGEST_STAY_SECONDS = 0.6
AWAY_SECONDS = 0.05  # before it tries again what did not answer
# The stock client's, when it is cut off; aiohttp raises RuntimeError in the midst of an answer.
LOST = (socketio.exceptions.SocketIOError, aiohttp.ClientError, RuntimeError)


class Nomad:
    """Whoever is dropped, leaves or changes its mind resumes from its own cursor.

    It visits status servers by Socket.IO, each over a road that is cut now and then, and polls the
    dashboard.
    """

    def __init__(
        self, number: int, history: History, servers: Sequence[str], dashboard: AsyncClient
    ) -> None:
        self.number = number
        self.visits = 0
        self.polls = 0
        self.stands: dict[str, Stand] = {}
        self.moved = asyncio.Event()
        self._history = history
        self._roads = [Road(url) for url in servers]
        self._dashboard = dashboard
        self._dice = random.Random(random.random())
        self._auth = {"token": token(subject=f"nomad-{number}")}
        self._asking = False
        self._watched: set[str] = set()  # on this visit
        self._received: set[str] = set()  # of which pipelines anything
        self._goal: Mapping[str, int] | None = None

    async def travel(self) -> None:
        """Come and go until everything up to the goal was received."""
        try:
            while not self._arrived():
                if self.stands and self._dice.random() < 0.2:
                    await self._poll()
                else:
                    await self._visit(self._dice.choice(self._roads))
        finally:
            for road in self._roads:
                await road.cut()

    @property
    def received(self) -> int:
        """Return how many events lie behind it, in all logs."""
        return sum(stands.seq for stands in self.stands.values())

    def settle(self, goal: Mapping[str, int]) -> None:
        """Name the goal: the seq at which each log ends."""
        self._goal = goal
        self.moved.set()

    def behind(self, ends: Mapping[str, int]) -> dict[str, tuple[int, int]]:
        """Where it stands and where it should, of the logs in which the two differ."""
        stood = {name: self.stands[name].seq if name in self.stands else 0 for name in ends}
        return {name: (stood[name], end) for name, end in ends.items() if stood[name] != end}

    def _arrived(self) -> bool:
        return self._goal is not None and not self.behind(self._goal)

    async def _poll(self) -> None:
        """Ask the dashboard for what follows the cursor, with its cursor for the next time."""
        self.polls += 1
        asked: dict[str, str | float] = {
            "cursor": self._cursor(),
            "wait": self._dice.choice([0, 0.3]),
        }
        bearer = {"Authorization": f"Bearer {self._auth['token']}"}
        answer = await self._dashboard.get("/api/rag-status", params=asked, headers=bearer)
        if answer.status_code not in {200, 304, 503}:
            self._fault(f"a poll was answered by {answer.status_code}: {answer.text[:200]}")
        if answer.status_code != 200:
            await asyncio.sleep(AWAY_SECONDS)
            return
        body = answer.json()
        for event in body["events"]:
            self._take_event(event)
        positions = parse_cursor(body["next_cursor"]).positions.values()
        follows = str(Cursor.of(position for position in positions if position.seq))
        if follows != self._cursor():
            self._fault(f"a poll's cursor is {body['next_cursor']} and not {self._cursor()}")

    async def _visit(self, road: Road) -> None:
        await road.restore()
        visitor = _Visitor(road.dsn, self)
        self._watched.clear()
        self._asking = False
        try:
            with suppress(*LOST):
                await visitor.connect(self._auth, self._dice.choice(TRANSPORTS))
                self.visits += 1
                await self._stay(visitor)
        finally:
            if self._dice.random() < 0.7:
                await road.cut()
            await visitor.close()
        if not visitor.received:
            await asyncio.sleep(AWAY_SECONDS)

    async def _stay(self, visitor: _Visitor) -> None:
        await self._subscribe(visitor)
        while not visitor.closed.is_set() and not self._arrived():
            stay = LONGEST_STAY_SECONDS * self._dice.random()
            if await self._is_disturbed(visitor, stay):
                continue
            if self._dice.random() < 0.6:
                return
            await self._subscribe(visitor)

    async def _is_disturbed(self, visitor: _Visitor, seconds: float) -> bool:
        """Wait; say whether the connection was lost meanwhile, or the goal was moved or reached."""
        loop = asyncio.get_running_loop()
        end = loop.time() + seconds
        settled = self._goal is not None
        while loop.time() < end:
            self.moved.clear()
            if visitor.closed.is_set() or self._arrived() or settled != (self._goal is not None):
                return True
            with suppress(TimeoutError):
                async with asyncio.timeout_at(end):
                    await self.moved.wait()
        return False

    async def _subscribe(self, visitor: _Visitor) -> None:
        known = list(self.stands)
        named: dict[str, Any] = {}
        if known and self._goal is None and self._dice.random() < 0.3:
            named = {"pipeline_id": self._dice.sample(known, self._dice.randint(1, len(known)))}
        fields = {
            "batch": self._dice.random() < 0.5,
            "cursor": self._cursor(*named.get("pipeline_id", known)),
            **named,
        }
        self._asking = True
        answer = await visitor.ask("subscribe", fields)
        if not answer["ok"] and not answer["error"]["retryable"]:
            self._fault(f"was refused: {answer['error']}")

    def _cursor(self, *names: str) -> str:
        stands = [self.stands[name] for name in names or self.stands]
        return str(Cursor.of(Position(one.epoch, one.seq) for one in stands)) if stands else "-1"

    def take(self, kind: str, body: Any) -> None:
        """Account for what was received, at once and in its order."""
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
        self.moved.set()

    def _take_status(self, status: dict[str, Any]) -> None:
        name = status["pipeline_id"]
        if name in self._watched:
            self._fault(f"a status of {name} beside its events")
        if name not in self.stands:
            self._stand(self._told(status))

    def _take_answer(self, answer: dict[str, Any]) -> None:
        if not answer["recovered"] or answer["snapshot"]["cursor"] != answer["cursor"]:
            self._fault(f"nothing was too old, and yet: {answer}")
        self._watched.add(answer["pipeline_id"])
        self._stand(self._told(answer))

    def _take_event(self, event: dict[str, Any]) -> None:
        name = event["pipeline_id"]
        [position] = parse_cursor(event["cursor"]).positions.values()
        stands = self.stands.get(name)
        if stands is None or (self._asking and event["seq"] == 1 and name not in self._received):
            # A status may have come before the replay from the beginning.
            stands = self._stand(Stand(self.number, name, position.epoch, 0, ""))
        if self._asking and event["seq"] <= stands.seq:
            return  # was sent live while it was asked for
        if position != Position(stands.epoch, event["seq"]):
            self._fault(f"event {event['seq']} of {name} says {event['cursor']}")
        self._received.add(name)
        self.stands[name] = self._history.receive(stands, event)

    def _told(self, status: dict[str, Any]) -> Stand:
        [position] = parse_cursor(status["cursor"]).positions.values()
        name, digest = status["pipeline_id"], status["digest"]
        return Stand(self.number, name, position.epoch, position.seq, digest)

    def _stand(self, stands: Stand) -> Stand:
        self._history.note(stands)
        self.stands[stands.pipeline_id] = stands
        return stands

    def _fault(self, what: str) -> None:
        self._history.note(Fault(self.number, what))


class _Visitor(Viewer):
    """One connection of a nomad."""

    def __init__(self, url: str, nomad: Nomad) -> None:
        super().__init__(url)
        self._nomad = nomad
        self.socket.on("disconnect", self._left, namespace=self._namespace)

    def _left(self, *reason: Any) -> None:
        self._disconnected(*reason)
        self._nomad.moved.set()

    def _note(self, event: str, *data: Any) -> None:
        super()._note(event, *data)
        self._nomad.take(event, data[0] if data else None)
