"""A cursor means the same over Socket.IO, in polls, in the events API and for `raglive tail`."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Mapping, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest
from httpx import AsyncClient, Response

from raglive.bus.postgres import PostgresBus
from raglive.log_reader.tail import tail_log
from raglive.store.log.event_log import EventLog
from raglive.store.pool import Database
from raglive.store.registry.pipelines import PipelineRecord
from raglive.store.retention import Retention, delete_expired
from raglive_contract.cursor import parse_cursor
from raglive_contract.errors import RagliveError
from tests.integration.dashboard.serving import bearer, opened
from tests.integration.status_server.serving import serving, token
from tests.integration.status_server.watching import watching
from tests.integration.subscriptions.room import update

pytestmark = pytest.mark.disagrees

FIXTURE = Path(__file__).parents[3] / "contract/fixtures/cursor.json"
VECTORS: dict[str, Any] = json.loads(FIXTURE.read_text("utf-8"))
LOGS: dict[str, dict[str, Any]] = {log["epoch"]: log for log in VECTORS["logs"]}
Outcomes = dict[str, dict[str, Any]]


def pipeline_of(epoch: str) -> str:
    return f"pipeline-{epoch}"


@pytest.fixture
async def logs(database: Database) -> Database:
    """The logs of the test vectors, with their epochs, heads and expired events."""
    for epoch, log in LOGS.items():
        record = await PipelineRecord.register(database, pipeline_of(epoch), "local_files")
        if events := [update() for _ in range(log["head_seq"])]:
            await EventLog(database).publish(pipeline_of(epoch), None, events)
        await database.execute(
            "UPDATE raglive.heads SET epoch = $1 WHERE pipeline_key = $2", epoch, record.key
        )
        expired = (
            "UPDATE raglive.events SET appended_at = 'epoch' WHERE pipeline_key = $1 AND seq < $2"
        )
        await database.execute(expired, record.key, log["oldest_seq"])
    await delete_expired(database, Retention(events_days=1, audit_days=1))
    return database


def missed(epoch: str, outcome: dict[str, Any]) -> list[int]:
    """The seqs that follow; none if the log cannot be resumed."""
    head = LOGS[epoch]["head_seq"]
    return list(range(outcome.get("after", head) + 1, head + 1))


def expected(outcomes: Outcomes) -> dict[str, list[int]] | str:
    """The answer of interfaces that refuse a cursor if any log cannot be resumed."""
    if any("expired" in outcome for outcome in outcomes.values()):
        return "cursor_expired"
    found = {pipeline_of(epoch): missed(epoch, it) for epoch, it in outcomes.items()}
    return {pipeline_id: seqs for pipeline_id, seqs in found.items() if seqs}


def by_pipeline(events: Sequence[Mapping[str, Any]]) -> dict[str, list[int]]:
    seqs: dict[str, list[int]] = {}
    for event in events:
        seqs.setdefault(event["pipeline_id"], []).append(event["seq"])
    return seqs


def answered(response: Response) -> dict[str, list[int]] | str:
    body = response.json()
    if response.status_code == 410:
        code: str = body["error"]["code"]
        return code
    assert response.status_code == 200, response.text
    return by_pipeline(body["events"])


async def test_over_socket_io_what_cannot_be_resumed_starts_from_a_snapshot(logs: Database) -> None:
    async with serving(logs) as server, watching(server.url) as viewer:
        for vector in VECTORS["resume"]:
            viewer.received.clear()
            names = [pipeline_of(epoch) for epoch in vector["epochs"]]
            answers = await viewer.subscribe(pipeline_id=names, cursor=vector["cursor"])
            seen = by_pipeline(viewer.durable())
            for epoch, answer in zip(vector["epochs"], answers, strict=True):
                outcome = vector["outcomes"][epoch]
                seqs = missed(epoch, outcome)
                assert answer["recovered"] == ("after" in outcome), vector
                assert answer["replayed"] == len(seqs), vector
                assert seen.get(answer["pipeline_id"], []) == seqs, vector
                assert answer["cursor"] == f"{epoch}.{LOGS[epoch]['head_seq']:016d}"


async def test_a_poll_refuses_what_cannot_be_resumed(logs: Database) -> None:
    async with opened(logs, client="10.0.0.7") as http:
        for vector in VECTORS["resume"]:
            headers = bearer(*[pipeline_of(epoch) for epoch in vector["epochs"]])
            query = {"cursor": vector["cursor"]}
            answer = await http.get("/api/rag-status", params=query, headers=headers)
            assert answered(answer) == expected(vector["outcomes"]), vector


async def test_the_events_api_refuses_it_on_both_servers(logs: Database) -> None:
    async def check(http: AsyncClient, prefix: str) -> None:
        for vector in VECTORS["resume"]:
            if len(vector["epochs"]) > 1:
                continue
            [epoch] = vector["epochs"]
            path = f"{prefix}/{pipeline_of(epoch)}/events"
            answer = await http.get(path, params={"after": vector["cursor"]})
            found = expected(vector["outcomes"])
            if isinstance(found, dict):
                found = {name: seqs[::-1] for name, seqs in found.items()}
            assert answered(answer) == found, vector
        [whole] = [LOGS[epoch] for epoch in LOGS if LOGS[epoch]["head_seq"] == 9]
        path = f"{prefix}/{pipeline_of(whole['epoch'])}/events"
        before = {
            "now": list(range(9, 0, -1)),
            "-1": [],
            f"{whole['epoch']}.{3:016d}": [2, 1],
        }
        for cursor, seqs in before.items():
            answer = await http.get(path, params={"before": cursor})
            assert [event["seq"] for event in answer.json()["events"]] == seqs, cursor
        ahead = await http.get(path, params={"before": f"{whole['epoch']}.{10:016d}"})
        assert answered(ahead) == "cursor_expired"

    async with opened(logs) as http:
        await check(http, "/api/pipelines")
    async with (
        serving(logs) as server,
        AsyncClient(
            base_url=server.url, headers={"Authorization": f"Bearer {token()}"}, timeout=30
        ) as http,
    ):
        await check(http, "/v1/pipelines")


async def test_tail_refuses_it(logs: Database) -> None:
    async with PostgresBus(logs.dsn) as bus:
        for vector in VECTORS["resume"]:
            epochs = vector["epochs"]
            if len(epochs) not in {1, len(LOGS)}:
                continue
            only = pipeline_of(epochs[0]) if len(epochs) == 1 else None
            assert await tailed(logs, bus, vector["cursor"], only) == expected(vector["outcomes"])


async def tailed(
    logs: Database, bus: PostgresBus, cursor: str, pipeline_id: str | None
) -> dict[str, list[int]] | str:
    found = tail_log(
        EventLog(logs), bus, parse_cursor(cursor), pipeline_id=pipeline_id, until_idle=True
    )
    async with aclosing(found) as events:
        try:
            return by_pipeline([event async for event in events])
        except RagliveError as error:
            return str(error.code)


async def test_the_command_says_so_too(logs: Database, tmp_path: Path) -> None:
    environment = os.environ | {"DATABASE_URL": logs.dsn, "RAGLIVE_DATA_DIR": str(tmp_path)}
    [epoch, *_] = LOGS
    tail = await asyncio.create_subprocess_exec(
        *[sys.executable, "-m", "raglive", "tail", "--json", "--pipeline", pipeline_of(epoch)],
        *["--cursor", f"{epoch}.{10:016d}"],
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(60):
        output, errors = await tail.communicate()
    assert (tail.returncode, output) == (1, b"")
    assert json.loads(errors)["error"]["code"] == "cursor_expired"
