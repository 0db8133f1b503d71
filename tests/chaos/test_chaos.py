"""Chaos: despite faults and reconnections, each viewer gets every event once and in order.

CHAOS_DELIVERIES makes it last longer: a million takes some minutes. The run's seed repeats the
order of faults and the random choices of viewers and producers, but not their timing. The test
saves the history to `history.jsonl`, next to the logs of the servers.
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
from tests.chaos.checker import Log, find_violations
from tests.chaos.faults import FAULTS, SERVERS, Cluster
from tests.chaos.history import History
from tests.chaos.producer import Producer
from tests.chaos.roaming_viewer import RoamingViewer
from tests.integration.dashboard.serving import opened
from tests.integration.status_server.serving import publish, token, update

DELIVERIES = int(os.environ.get("CHAOS_DELIVERIES", "10000"))
PLANS = 4  # one test each, so that a run can draw one of them
VIEWERS = 6 if DELIVERIES < 100_000 else 24
PIPELINES = ["one", "two", "three"]
DELIVERIES_PER_FAULT = 2000 if DELIVERIES < 100_000 else 20_000
MOST_BEHIND = 2000  # events of the slowest viewer; every ring holds as many
CATCH_UP_SECONDS = 60


@pytest.mark.drawn(1)
@pytest.mark.long
@pytest.mark.timeout(300 + DELIVERIES // 500)
@pytest.mark.parametrize("plan", range(PLANS))
async def test_no_event_is_lost_repeated_or_reordered(plan: int, seed: int, tmp_path: Path) -> None:
    print(f"--seed={seed} CHAOS_DELIVERIES={DELIVERIES}")  # noqa: T201 - to repeat the run
    random.seed(f"{seed} {plan}")
    history = History()
    async with Cluster.opened(tmp_path) as cluster, AsyncExitStack() as stack:
        stack.callback(history.save, tmp_path / "history.jsonl")
        for name in PIPELINES:
            await publish(cluster.database, [update()], name)
        dashboard = await stack.enter_async_context(opened(cluster.database))
        headers = {"Authorization": f"Bearer {token(Role.ADMIN)}"}
        clients = [
            await stack.enter_async_context(AsyncClient(base_url=url, headers=headers, timeout=20))
            for url in cluster.servers
        ]
        viewers = [RoamingViewer(n, history, cluster.servers, dashboard) for n in range(VIEWERS)]
        names = list(PIPELINES)
        producers = [Producer(n, history, cluster.database, clients, names) for n in range(2)]
        async with asyncio.TaskGroup() as tasks:
            for viewer in viewers:
                tasks.create_task(viewer.run())
            await _run_workload(cluster, history, viewers, producers)
            logs = await _read_logs(cluster.database)
            goal = {name: len(log.ids) for name, log in logs.items()}
            for viewer in viewers:
                viewer.set_goal(goal)
            await _wait_until_complete(viewers, goal)
    violations = find_violations(history, logs, range(VIEWERS))
    if violations:
        pytest.fail("\n".join([f"violations in {tmp_path / 'history.jsonl'}:", *violations[:20]]))
    assert history.deliveries >= DELIVERIES
    assert all(viewer.connections > 1 for viewer in viewers)
    assert any(viewer.polls for viewer in viewers)


async def _run_workload(
    cluster: Cluster,
    history: History,
    viewers: Sequence[RoamingViewer],
    producers: Sequence[Producer],
) -> None:
    """Publish until enough was delivered, while faults are injected one after the other."""
    injection = asyncio.create_task(_inject_faults(cluster, history))

    def is_enough() -> bool:
        return history.deliveries >= DELIVERIES and injection.done()

    async def back_pressure() -> None:
        while not is_enough() and _most_behind(viewers, producers) > MOST_BEHIND:
            await history.grown()

    async with asyncio.TaskGroup() as tasks:
        for producer in producers:
            tasks.create_task(producer.run(is_enough, back_pressure))
    await injection


async def _inject_faults(cluster: Cluster, history: History) -> None:
    plan = random.sample(FAULTS, len(FAULTS))
    plan += random.choices(FAULTS, k=DELIVERIES // DELIVERIES_PER_FAULT - len(plan))
    for fault in plan:
        due = history.deliveries + DELIVERIES // (len(plan) + 1)
        while history.deliveries < due:
            await history.grown()
        print(f"{history.deliveries}: {fault}")  # noqa: T201 - with the seed
        await cluster.inject(fault, random.randrange(SERVERS))


def _most_behind(viewers: Sequence[RoamingViewer], producers: Sequence[Producer]) -> int:
    published = sum(producer.published for producer in producers)
    return published - min(viewer.received for viewer in viewers)


async def _wait_until_complete(viewers: Sequence[RoamingViewer], goal: Mapping[str, int]) -> None:
    """Wait until all viewers are complete; fail with those that are not."""
    end = asyncio.get_running_loop().time() + CATCH_UP_SECONDS
    while late := {
        viewer.number: incomplete for viewer in viewers if (incomplete := viewer.incomplete(goal))
    }:
        assert asyncio.get_running_loop().time() < end, f"incomplete viewers: {late}"
        await asyncio.wait({asyncio.ensure_future(viewers[min(late)].progressed.wait())}, timeout=1)


async def _read_logs(database: Database) -> dict[str, Log]:
    event_log = EventLog(database)
    logs = {}
    for head in await event_log.heads():
        read = await event_log.read_after(head, 0, 10**7)
        ids = tuple(one.event["id"] for one in read)
        digests = ("", *(one.digest.hex() for one in read))
        logs[head.pipeline_id] = Log(head.epoch, ids, digests)
    return logs
