"""A viewer that comes and goes at random, by any transport, and keeps account of what it saw."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import aiohttp
import socketio

from raglive.contract.cursor import parse_cursor
from raglive.database.event_log import Head
from tests.integration.status_server.serving import token
from tests.integration.status_server.watching import Viewer, Witness, cursor_of, witness_of
from tests.relay import Relay

__all__ = ["Nomad", "Road"]

TRANSPORTS = (["websocket"], ["polling"], ["polling", "websocket"])
LONGEST_STAY_SECONDS = 0.6


class Nomad:
    """Whoever is dropped, leaves or changes its mind resumes from its own cursor."""

    def __init__(self, url: str, seed: str) -> None:
        self._relay = Road(url)
        self._dice = random.Random(seed)
        self._seed = seed
        self._asking = False
        self._watched: set[str] = set()  # on this visit
        self._goal: dict[str, int] = {}
        self._settled = asyncio.Event()
        self._moved = asyncio.Event()
        self.visits = 0
        self.replayed = 0
        self.witnesses: dict[str, Witness] = {}

    async def travel(self) -> None:
        """Come and go until everything up to the goal was seen."""
        async with self._relay:
            while not self._arrived():
                await self._relay.restore()
                await self._visit()

    @property
    def behind(self) -> dict[str, tuple[int, int]]:
        """What was seen, and is to be seen, where the two differ."""
        seen = {name: witness.seq for name, witness in self.witnesses.items()}
        return {
            name: (seen.get(name, 0), goal)
            for name, goal in self._goal.items()
            if seen.get(name, 0) != goal
        }

    def settle(self, heads: Sequence[Head]) -> None:
        """Name the goal: the ends of all logs."""
        self._goal = {head.pipeline_id: head.seq for head in heads}
        self._settled.set()
        self._moved.set()

    def _arrived(self) -> bool:
        return self._settled.is_set() and not self.behind

    async def _visit(self) -> None:
        visitor = _Visitor(self._relay.dsn, self)
        self._watched.clear()
        try:
            with suppress(socketio.exceptions.SocketIOError, aiohttp.ClientError):
                await visitor.connect({"token": token()}, self._dice.choice(TRANSPORTS))
                self.visits += 1
                await self._stay(visitor)
        finally:
            if self._dice.random() < 0.7:
                await self._relay.cut()
            await visitor.close()
        visitor.check()
        if not visitor.received:
            await asyncio.sleep(0.05)  # the server is away

    async def _stay(self, visitor: _Visitor) -> None:
        await self._subscribe(visitor)
        while not visitor.closed.is_set() and not self._arrived():
            self._moved.clear()
            waiting = [visitor.closed.wait()]
            waiting.append(self._moved.wait() if self._settled.is_set() else self._settled.wait())
            tasks = [asyncio.ensure_future(one) for one in waiting]
            stay = LONGEST_STAY_SECONDS * self._dice.random()
            done, _ = await asyncio.wait(tasks, timeout=stay, return_when=asyncio.FIRST_COMPLETED)
            for task in tasks:
                task.cancel()
            if not done and self._dice.random() < 0.6:
                return
            if not done:
                await self._subscribe(visitor)

    async def _subscribe(self, visitor: _Visitor) -> None:
        known = list(self.witnesses)
        named: dict[str, Any] = {}
        if known and not self._settled.is_set() and self._dice.random() < 0.3:
            named = {"pipeline_id": self._dice.sample(known, self._dice.randint(1, len(known)))}
        asked = [self.witnesses[name] for name in named.get("pipeline_id", known)]
        fields = {
            "batch": self._dice.random() < 0.5,
            "cursor": cursor_of(asked) if asked else "-1",
            **named,
        }
        self._asking = True
        await visitor.subscribe(**fields)

    def take(self, kind: str, body: Any) -> None:
        """Account for what was received, at once and in its order."""
        if kind == "answer:subscribe":
            self._asking = False
            for answer in body["pipelines"]:
                self._take_answer(answer)
        elif kind == "events:batch":
            for event in body["events"]:
                self._take_event(event)
        elif kind == "pipeline:status":
            assert body["pipeline_id"] not in self._watched, "a status beside events"
            self.witnesses.setdefault(body["pipeline_id"], witness_of(body))
        elif isinstance(body, dict) and "seq" in body:
            self._take_event(body)
        self._moved.set()

    def _take_answer(self, answer: dict[str, Any]) -> None:
        assert answer["recovered"], "nothing was too old"
        assert answer["snapshot"]["cursor"] == answer["cursor"]
        self._watched.add(answer["pipeline_id"])
        stands = witness_of(answer)
        seen = self.witnesses.setdefault(answer["pipeline_id"], stands)
        assert (seen.epoch, seen.seq, seen.digest) == (stands.epoch, stands.seq, stands.digest)
        self.replayed += answer["replayed"]

    def _take_event(self, event: dict[str, Any]) -> None:
        [position] = parse_cursor(event["cursor"]).positions.values()
        witness = self.witnesses.get(event["pipeline_id"])
        if witness is None or (self._asking and event["seq"] == 1 and not witness.ids):
            witness = Witness(position.epoch, 0, b"")  # a status may have come before its replay
            self.witnesses[event["pipeline_id"]] = witness
        if self._asking and event["seq"] <= witness.seq:
            return  # was sent live while it was asked for
        witness.see(event)


class Road(Relay):
    """A relay that refuses what the server refuses."""

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await super()._pass(reader, writer)
        writer.transport.abort()


class _Visitor(Viewer):
    """One connection of a nomad; a fault in what it receives is kept until `check`."""

    def __init__(self, url: str, nomad: Nomad) -> None:
        super().__init__(url)
        self._nomad = nomad
        self._faults: list[AssertionError] = []

    def check(self) -> None:
        """Raise the first fault."""
        for fault in self._faults:
            raise fault

    def _note(self, event: str, *data: Any) -> None:
        super()._note(event, *data)
        try:
            self._nomad.take(event, data[0] if data else None)
        except AssertionError as fault:
            self._faults.append(fault)
