"""Viewers that come and go while everything breaks: each ends with every event, once, in order.

CHAOS_DELIVERIES makes it last longer: a million takes some minutes. The run's seed repeats a plan:
the order of what breaks and the dice of viewers and producers, but not the moments. The test writes
what happened to `history.jsonl`, next to the logs of the servers.
"""

from __future__ import annotations

import asyncio
import os
import random
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from httpx import AsyncClient

from raglive.store.log.event_log import EventLog
from raglive.store.pool import Database
from raglive_contract.permissions import Role
from tests.chaos.checker import Log, find_faults
from tests.chaos.history import History
from tests.chaos.nomad import Nomad
from tests.chaos.producer import Producer
from tests.chaos.upheavals import SERVERS, UPHEAVALS, World
from tests.integration.dashboard.serving import opened
from tests.integration.status_server.serving import publish, token, update

DELIVERIES = int(os.environ.get("CHAOS_DELIVERIES", "10000"))
PLANS = 4  # each is a test of its own, so that a run can take one of them
VIEWERS = 6 if DELIVERIES < 100_000 else 24
PIPELINES = ["one", "two", "three"]
DELIVERIES_PER_UPHEAVAL = 2000 if DELIVERIES < 100_000 else 20_000
MOST_BEHIND = 2000  # events, of the viewer that is last: any ring reaches back so far
SETTLING_SECONDS = 60


@pytest.mark.drawn(1)
@pytest.mark.long
@pytest.mark.timeout(300 + DELIVERIES // 500)
@pytest.mark.parametrize("plan", range(PLANS))
async def test_nothing_is_lost_or_twice_or_out_of_order(
    plan: int, seed: int, tmp_path: Path
) -> None:
    print(f"--seed={seed} CHAOS_DELIVERIES={DELIVERIES}")  # noqa: T201 - to repeat it
    random.seed(f"{seed} {plan}")
    history = History()
    async with World.opened(tmp_path) as world, AsyncExitStack() as stack:
        stack.callback(history.save, tmp_path / "history.jsonl")
        for name in PIPELINES:
            await publish(world.database, [update()], name)
        dashboard = await stack.enter_async_context(opened(world.database))
        headers = {"Authorization": f"Bearer {token(Role.ADMIN)}"}
        clients = [
            await stack.enter_async_context(AsyncClient(base_url=url, headers=headers, timeout=20))
            for url in world.servers
        ]
        nomads = [Nomad(n, history, world.servers, dashboard) for n in range(VIEWERS)]
        names = list(PIPELINES)
        producers = [Producer(n, history, world.database, clients, names) for n in range(2)]
        async with asyncio.TaskGroup() as tasks:
            for nomad in nomads:
                tasks.create_task(nomad.travel())
            await _live_through(world, history, nomads, producers)
            logs = await _read_logs(world.database)
            goal = {name: len(log.ids) for name, log in logs.items()}
            for nomad in nomads:
                nomad.settle(goal)
            await _arrival(nomads, goal)
    faults = find_faults(history, logs, range(VIEWERS))
    if faults:
        pytest.fail("\n".join([f"faults of {tmp_path / 'history.jsonl'}:", *faults[:20]]))
    assert history.deliveries >= DELIVERIES
    assert all(nomad.visits > 1 for nomad in nomads)
    assert any(nomad.polls for nomad in nomads)


async def _live_through(
    world: World, history: History, nomads: Sequence[Nomad], producers: Sequence[Producer]
) -> None:
    """Publish until enough was delivered, and let one thing after another break meanwhile."""
    breaking = asyncio.create_task(_break_things(world, history))

    def enough() -> bool:
        return history.deliveries >= DELIVERIES and breaking.done()

    async def keep_up() -> None:
        while not enough() and _most_behind(nomads, producers) > MOST_BEHIND:
            await history.grown()

    async with asyncio.TaskGroup() as tasks:
        for producer in producers:
            tasks.create_task(producer.run(enough, keep_up))
    await breaking


async def _break_things(world: World, history: History) -> None:
    plan = random.sample(UPHEAVALS, len(UPHEAVALS))
    plan += random.choices(UPHEAVALS, k=DELIVERIES // DELIVERIES_PER_UPHEAVAL - len(plan))
    for upheaval in plan:
        due = history.deliveries + DELIVERIES // (len(plan) + 1)
        while history.deliveries < due:
            await history.grown()
        print(f"{history.deliveries}: {upheaval}")  # noqa: T201 - with the seed
        await world.suffer(upheaval, random.randrange(SERVERS))


def _most_behind(nomads: Sequence[Nomad], producers: Sequence[Producer]) -> int:
    published = sum(producer.published for producer in producers)
    return published - min(nomad.received for nomad in nomads)


async def _arrival(nomads: Sequence[Nomad], goal: Mapping[str, int]) -> None:
    """Wait until everyone has arrived; say who has not."""
    end = asyncio.get_running_loop().time() + SETTLING_SECONDS
    while late := {nomad.number: behind for nomad in nomads if (behind := nomad.behind(goal))}:
        assert asyncio.get_running_loop().time() < end, f"viewers that stay behind: {late}"
        await asyncio.wait({asyncio.ensure_future(nomads[min(late)].moved.wait())}, timeout=1)


async def _read_logs(database: Database) -> dict[str, Log]:
    event_log = EventLog(database)
    logs = {}
    for head in await event_log.heads():
        read = await event_log.read_after(head, 0, 10**7)
        ids = tuple(one.event["id"] for one in read)
        digests = ("", *(one.digest.hex() for one in read))
        logs[head.pipeline_id] = Log(head.epoch, ids, digests)
    return logs
