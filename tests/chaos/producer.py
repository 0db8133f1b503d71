"""A producer that publishes at random, by HTTP and by SQL, and insists until it is acknowledged."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from typing import Any

from httpx import AsyncClient, HTTPError
from uuid6 import uuid7

from raglive.store.errors import DATABASE_ERRORS
from raglive.store.pool import Database
from tests.chaos.history import Acknowledged, History
from tests.integration.status_server.serving import publish, update

__all__ = ["Producer"]

AGAIN_SECONDS = 0.02
PAUSES_SECONDS = (0, 0, 0, 0.01, 0.05)
INSISTS_SECONDS = 60


class Producer:
    """Publishes until it is told that it is `enough`; `may_go_on` returns when viewers keep up."""

    def __init__(
        self,
        number: int,
        history: History,
        database: Database,
        servers: list[AsyncClient],
        names: list[str],
    ) -> None:
        self._number = number
        self._history = history
        self._database = database
        self._servers = servers
        self._names = names
        self._dice = random.Random(random.random())
        self._sent: list[dict[str, Any]] = []
        self.published = 0

    async def run(self, enough: Callable[[], bool], may_go_on: Callable[[], Any]) -> None:
        """Publish, one batch after another."""
        while not enough():
            await may_go_on()
            await self._publish()
            await asyncio.sleep(self._dice.choice(PAUSES_SECONDS))

    async def _publish(self) -> None:
        if self._dice.random() < 0.01 and len(self._names) < 12:
            self._names.append(f"late-{uuid7()}")
        name = self._dice.choice(self._names)
        events = [update(number=n) for n in range(self._dice.choice([1, 1, 2, 30]))]
        by_http = self._dice.random() < 0.5
        named = [e | {"pipeline_id": name, "pipeline_type": "local_files"} for e in events]
        again = self._dice.sample(self._sent, min(3, len(self._sent)))
        async with asyncio.timeout(INSISTS_SECONDS):
            while not await (self._post([*again, *named]) if by_http else self._call(events, name)):
                await asyncio.sleep(AGAIN_SECONDS)
        self._sent = [*self._sent[-100:], *named]
        self.published += len(events)
        self._history.note(Acknowledged(self._number, name, tuple(e["id"] for e in events)))

    async def _post(self, events: list[dict[str, Any]]) -> bool:
        """Say whether it was acknowledged; a time-out says nothing, and is asked again."""
        try:
            answer = await self._dice.choice(self._servers).post(
                "/v1/events", json={"events": events}
            )
        except HTTPError:
            return False
        assert answer.status_code in {200, 503}, answer.text
        if answer.status_code == 503:
            assert answer.json()["error"]["retryable"], answer.text
            return False
        counted = answer.json()["accepted"] + answer.json()["duplicates"]
        assert counted == len(events), answer.text
        return True

    async def _call(self, events: list[dict[str, Any]], name: str) -> bool:
        try:
            await publish(self._database, events, name)
        except DATABASE_ERRORS:
            return False
        return True
