"""Viewers that come and go as they please: each ends with every event, none twice, in order.

EXACTLY_ONCE_SECONDS makes it last longer, EXACTLY_ONCE_SEED repeats a run.
"""

from __future__ import annotations

import asyncio
import os
import random
from contextlib import suppress
from typing import Any

from httpx import AsyncClient
from uuid6 import uuid7

from raglive.database.event_log import EventLog, Head
from raglive.database.pool import Database
from tests.integration.status_server.nomad import Nomad
from tests.integration.status_server.serving import (
    free_port,
    publish,
    serving,
    spawn,
    update,
)

SECONDS = float(os.environ.get("EXACTLY_ONCE_SECONDS", "4"))
SEED = int(os.environ.get("EXACTLY_ONCE_SEED", random.randrange(10**6)))
VIEWERS = 6
PIPELINES = ["one", "two", "three"]


class Publisher:
    """Publishes at random, in both ways; what it publishes again counts once."""

    def __init__(self, database: Database, seed: int) -> None:
        self._database = database
        self._dice = random.Random(seed)
        self._sent: list[dict[str, Any]] = []
        self._names = list(PIPELINES)
        self.enough = False

    async def run(self, client: AsyncClient) -> None:
        while not self.enough:
            await self._publish(client)
            await asyncio.sleep(self._dice.choice([0, 0, 0.01, 0.05]))

    async def _publish(self, client: AsyncClient) -> None:
        if self._dice.random() < 0.02:
            self._names.append(f"late-{uuid7()}")
        pipeline_id = self._dice.choice(self._names)
        events = [update(number=n) for n in range(self._dice.choice([1, 1, 2, 30]))]
        if self._dice.random() < 0.5:
            await publish(self._database, events, pipeline_id)
            return
        kind = {"pipeline_id": pipeline_id, "pipeline_type": "local_files"}
        named = [event | kind for event in events]
        again = self._dice.sample(self._sent, min(3, len(self._sent)))
        self._sent += named
        answer = await client.post("/v1/events", json={"events": [*again, *named]})
        assert answer.status_code == 200, answer.text
        assert answer.json()["accepted"] == len(named)
        assert answer.json()["duplicates"] == len(again)


async def test_every_viewer_ends_with_every_event_once_and_in_order(database: Database) -> None:
    """One server is killed and started again in the middle; another takes what is published."""
    print(f"EXACTLY_ONCE_SEED={SEED}")  # noqa: T201 - to repeat what failed
    for name in PIPELINES:
        await publish(database, [update()], name)
    port = free_port()
    process = await spawn(database, port)
    try:
        async with serving(database) as other, other.client() as client:
            publisher = Publisher(database, SEED)
            nomads = [Nomad(f"http://127.0.0.1:{port}", f"{SEED}:{n}") for n in range(VIEWERS)]
            async with asyncio.TaskGroup() as tasks:
                travels = [tasks.create_task(nomad.travel()) for nomad in nomads]
                publishing = tasks.create_task(publisher.run(client))
                await asyncio.sleep(SECONDS / 2)
                await end(process)
                process = await spawn(database, port)
                await asyncio.sleep(SECONDS / 2)
                publisher.enough = True
                await publishing
                heads = await EventLog(database).heads()
                for nomad in nomads:
                    nomad.settle(heads)
                await asyncio.wait(travels, timeout=30)
                assert not [nomad.behind for nomad in nomads if nomad.behind]
    finally:
        await end(process)
    await _compare(nomads, heads, database)


async def end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.kill()
    await process.communicate()


async def _compare(nomads: list[Nomad], heads: list[Head], database: Database) -> None:
    log = EventLog(database)
    logged = {head.pipeline_id: await log.read_after(head, 0, 10**6) for head in heads}
    assert sum(len(events) for events in logged.values()) > 100
    for nomad in nomads:
        assert nomad.visits > 2
        for head in heads:
            seen = nomad.witnesses[head.pipeline_id]
            assert (seen.seq, seen.digest) == (head.seq, head.digest)
            ids = [one.event["id"] for one in logged[head.pipeline_id]]
            assert seen.ids == ids[head.seq - len(seen.ids) :]
    print([(nomad.visits, nomad.replayed) for nomad in nomads])  # noqa: T201 - with the seed
