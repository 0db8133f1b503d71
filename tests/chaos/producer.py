"""A producer that publishes random batches by HTTP and SQL, and retries until acknowledged."""

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

RETRY_SECONDS = 0.02
PAUSES_SECONDS = (0, 0, 0, 0.01, 0.05)
TIMEOUT_SECONDS = 60


class Producer:
    """Publishes until `is_enough`; awaits `back_pressure` before each batch."""

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
        self._random = random.Random(random.random())
        self._sent: list[dict[str, Any]] = []
        self.published = 0

    async def run(self, is_enough: Callable[[], bool], back_pressure: Callable[[], Any]) -> None:
        """Publish one batch after another."""
        while not is_enough():
            await back_pressure()
            await self._publish()
            await asyncio.sleep(self._random.choice(PAUSES_SECONDS))

    async def _publish(self) -> None:
        if self._random.random() < 0.01 and len(self._names) < 12:
            self._names.append(f"late-{uuid7()}")
        name = self._random.choice(self._names)
        events = [update(number=n) for n in range(self._random.choice([1, 1, 2, 30]))]
        by_http = self._random.random() < 0.5
        named = [e | {"pipeline_id": name, "pipeline_type": "local_files"} for e in events]
        repeated = self._random.sample(self._sent, min(3, len(self._sent)))
        async with asyncio.timeout(TIMEOUT_SECONDS):
            while not await (
                self._post([*repeated, *named]) if by_http else self._call(events, name)
            ):
                await asyncio.sleep(RETRY_SECONDS)
        self._sent = [*self._sent[-100:], *named]
        self.published += len(events)
        self._history.note(Acknowledged(self._number, name, tuple(e["id"] for e in events)))

    async def _post(self, events: list[dict[str, Any]]) -> bool:
        """Return whether the batch was acknowledged; after a time-out that is unknown: False."""
        try:
            answer = await self._random.choice(self._servers).post(
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
