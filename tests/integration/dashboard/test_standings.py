"""Waiting, stuck, lost and paused are distinct over HTTP and in events."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from httpx import AsyncClient

from raglive.embedding.budget import BudgetConfig
from raglive.store.accounting.spending import Spending, Usage
from raglive.store.index.vector_cache import VectorCache
from raglive.store.index.vector_space import choose_vector_space
from raglive.store.pool import Database
from raglive.store.registry.jobs import Job, Jobs
from raglive.store.registry.pipelines import PauseReason, end_silent_pipelines
from raglive_contract.errors import ErrorCode
from raglive_contract.http import FailureGroups, FileDetail, SystemHealth
from raglive_contract.snapshot import PipelineStatus
from raglive_contract.summary import Throughput
from tests.integration.dashboard.serving import MODEL, Work

PIPELINE = "/api/pipelines/local-files-pipeline"
LATER = "2999-01-01T00:00:00.000Z"


async def get(http: AsyncClient, path: str, **query: Any) -> dict[str, Any]:
    response = await http.get(path, params=query)
    assert response.status_code in {200, 503}, response.text
    body: dict[str, Any] = response.json()
    return body


async def names(http: AsyncClient, *states: str) -> list[str]:
    page = await get(http, f"{PIPELINE}/files", state=states, sort="name")
    assert page["total"] == len(page["files"])
    return [file["name"] for file in page["files"]]


async def detail(http: AsyncClient, name: str) -> FileDetail:
    return FileDetail.model_validate(await get(http, f"{PIPELINE}/files/id:/{name}"))


async def last_changes(http: AsyncClient) -> dict[str, Any]:
    page = await get(http, f"{PIPELINE}/events", limit=1, type="status:update")
    changes: dict[str, Any] = page["events"][0]["changes"]
    return changes


async def status(http: AsyncClient) -> PipelineStatus:
    return PipelineStatus.model_validate(await get(http, PIPELINE))


async def test_a_waiting_file_is_distinct_from_queued_and_failed_ones(
    http: AsyncClient, work: Work
) -> None:
    waiting = {"code": "embedding_unavailable", "retryable": True, "next_attempt_at": LATER}
    await work.fail("waits.txt", stage="embedding", **waiting)
    await work.fail("failed.txt")
    await work.queue("queued.txt")

    assert await names(http, "waiting") == ["waits.txt"]
    assert await names(http, "waiting", "failed") == ["failed.txt", "waits.txt"]
    assert await names(http, "queued") == ["queued.txt", "waits.txt"]
    counts = (await status(http)).counts
    assert (counts.queued, counts.waiting, counts.failed) == (2, 1, 1)
    groups = FailureGroups.model_validate(await get(http, f"{PIPELINE}/failures")).groups
    found = {group.code: (group.state, group.next_attempt_at is not None) for group in groups}
    assert found == {
        "extraction_error": ("failed", False),
        "embedding_unavailable": ("waiting", True),
    }
    shown = await detail(http, "waits.txt")
    assert (shown.file.standing, shown.file.next_attempt_at is not None) == ("waiting", True)
    assert shown.what_to_do
    assert "EMBEDDING_BASE_URL" in shown.what_to_do

    answer = await http.post(f"{PIPELINE}/retry", json={"code": "embedding_unavailable"})
    assert answer.json() == {"requeued": 1}
    assert (await status(http)).counts.waiting == 0
    assert (await detail(http, "waits.txt")).file.standing == "queued"


async def test_a_file_without_progress_is_stuck_until_it_progresses(
    http: AsyncClient, work: Work
) -> None:
    await work.queue("hangs.txt", "moves.txt")
    hangs, moves = await work.start(), await work.start()
    await work.jobs.renew_leases([(moves.file_key, "extraction", 0.5)])
    assert await work.jobs.mark_stuck(3600) == 0
    assert await names(http, "stuck") == []

    assert await work.jobs.mark_stuck(0) == 2
    await work.jobs.renew_leases([(moves.file_key, "embedding", 0.6)])
    assert await work.jobs.mark_stuck(3600) == 0  # published only once
    changes = await last_changes(http)
    stuck = {file["name"]: file["stage"] for file in changes["files_stuck"]["files"]}
    assert stuck == {"hangs.txt": "extraction", "moves.txt": "extraction"}
    assert await names(http, "stuck") == ["hangs.txt"]
    standings = {file.name: file.standing for file in (await status(http)).files_processing}
    assert standings == {"hangs.txt": "stuck", "moves.txt": "processing"}

    await work.jobs.renew_leases([(hangs.file_key, "extraction", 0.1)])
    assert await names(http, "stuck") == []


async def test_a_file_of_a_dead_worker_is_lost_until_it_is_taken_over(
    http: AsyncClient, work: Work, database: Database
) -> None:
    await work.queue("left.txt")
    await work.pipeline.announce_online(60, "/documents")
    await beat(work)
    [left] = await Jobs(work.pipeline, "killed", 0.0).claim(1)
    assert (await detail(http, "left.txt")).file.standing == "lost"
    assert await names(http, "lost") == ["left.txt"]

    assert await end_silent_pipelines(database, 0.0) == [work.pipeline.pipeline_id]
    changes = await last_changes(http)
    assert changes["files_lost"]["files"] == [
        {"id": left.file_id, "name": "left.txt", "stage": "extraction"}
    ]
    shown = await status(http)
    assert (shown.status, shown.files_processing[0].standing) == ("offline", "lost")
    local = (await health(http)).services.rag_pipelines["local_files"]
    assert (local.status, local.state) == ("unhealthy", "offline")

    assert await work.jobs.release_lost([]) == 1
    assert (await last_changes(http))["files_requeued"]["reason"] == "worker_lost"
    again = await work.start()
    found = await detail(http, "left.txt")
    assert [one.outcome for one in found.attempts] == ["running", "lost"]
    assert found.attempts[1].error
    assert found.attempts[1].error.code == "worker_lost"
    assert (again.name, again.losses, found.file.standing) == ("left.txt", 1, "processing")


async def beat(work: Work) -> None:
    await work.pipeline.heartbeat(
        uptime_seconds=1, memory_bytes=1, is_checking=False, last_check=None, next_check=None
    )


async def health(http: AsyncClient) -> SystemHealth:
    return SystemHealth.model_validate(await get(http, "/api/health"))


async def test_a_pause_says_why_since_when_and_what_to_do(http: AsyncClient, work: Work) -> None:
    await work.pipeline.announce_online(60, "/documents")
    await beat(work)
    local = (await health(http)).services.rag_pipelines["local_files"]
    assert (local.status, local.state, local.paused) == ("healthy", "running", None)

    spent = PauseReason(
        ErrorCode.EMBEDDING_BUDGET_SPENT, "All is spent.", "Files wait.", "Earn more."
    )
    await work.pipeline.set_paused(spent)
    shown = (await status(http)).paused
    assert shown is not None
    assert (shown.code, shown.message) == ("embedding_budget_spent", "All is spent. Files wait.")
    assert shown.what_to_do == "Earn more."
    assert (await last_changes(http))["paused"] == shown.wire()
    local = (await health(http)).services.rag_pipelines["local_files"]
    assert (local.status, local.state, local.paused) == ("degraded", "paused", shown)

    await work.pipeline.set_problem("disk_full", "The disk is full.")
    local = (await health(http)).services.rag_pipelines["local_files"]
    assert (local.state, local.problem and local.problem.code) == ("needs_attention", "disk_full")
    await work.pipeline.clear_problem()
    await work.pipeline.set_paused(None)
    assert (await health(http)).services.rag_pipelines["local_files"].state == "running"


async def test_the_time_left_follows_from_what_stages_took(
    http: AsyncClient, work: Work, database: Database
) -> None:
    async def estimate() -> dict[str, Any]:
        body = await get(http, f"{PIPELINE}/throughput")
        return Throughput.model_validate(body).estimate.wire()

    assert (await estimate())["unknown_because"] == "nothing_to_do"
    await work.pipeline.announce_online(60, "/documents")
    await work.queue("first.txt", size=2**20)
    assert (await estimate())["unknown_because"] == "too_few_completed"
    await work.complete(*[f"{n}.txt" for n in range(5)])
    # what was completed took 10 seconds together, one after the other: two a file and mebibyte
    await database.execute("UPDATE raglive.files SET size_bytes = 1 << 20")
    await database.execute(
        """UPDATE raglive.attempts AS made
              SET stages = '[{"stage": "extraction", "duration": 1.5}]',
                  started_at = now() - make_interval(secs => 2 * made.file_key + 2),
                  finished_at = now() - make_interval(secs => 2 * made.file_key)
           WHERE outcome = 'completed'"""
    )
    found = await estimate()
    assert found["seconds_left"] == pytest.approx(2.0)
    assert found["stages"] == [{"stage": "extraction", "seconds_per_mebibyte": 1.5}]

    await work.queue("twice as large.txt", size=2 << 20)
    # two files at two seconds each are 4, three mebibytes are 6: between them
    assert (await estimate())["seconds_left"] == pytest.approx(5.0)
    await work.pipeline.set_paused(
        PauseReason(ErrorCode.EMBEDDING_UNAVAILABLE, "It is down.", "", "")
    )
    paused = await estimate()
    assert (paused["seconds_left"], paused["unknown_because"]) == (None, "paused")
    assert paused["files_left"] == 2


async def test_embedding_costs_are_shown_with_the_budget(
    http: AsyncClient, work: Work, database: Database
) -> None:
    body = Throughput.model_validate(await get(http, f"{PIPELINE}/throughput"))
    assert (body.budget, body.total_usage.tokens) == (None, 0)
    await work.queue("a.txt")
    job: Job = await work.start()
    space = await choose_vector_space(database, MODEL)
    cache, spending = VectorCache(database, space), Spending(database, work.pipeline.key)
    price = BudgetConfig(per_million_tokens=2.0, budget=5.0, period="day")
    for tokens in (250_000, 500_000):
        vector = (tokens.to_bytes(32, "big"), np.ones(256, np.float32))
        used = {job.file_key: Usage(1, tokens, price.cost_of(tokens))}
        await cache.add([vector], spending, used)
    await database.execute(
        """INSERT INTO raglive.embedding_usage
           SELECT pipeline_key, '2020-02-02', file_key, model, 7, 7, 7
           FROM raglive.embedding_usage"""
    )
    await work.pipeline.set_budget(2.0, price.budget, price.period)
    shown = Throughput.model_validate(await get(http, f"{PIPELINE}/throughput"))
    assert shown.budget is not None
    assert shown.budget.wire() == {"amount": 5.0, "period": "day", "spent": 1.5}
    assert (shown.usage.tokens, shown.total_usage.tokens) == (750_000, 750_007)
    assert (await detail(http, "a.txt")).usage.cost == pytest.approx(8.5)
    await work.pipeline.set_budget(2.0, price.budget, "total")
    total = Throughput.model_validate(await get(http, f"{PIPELINE}/throughput")).budget
    assert total is not None
    assert total.spent == pytest.approx(8.5)
    await work.pipeline.set_budget(2.0, None, "total")
    assert (await get(http, f"{PIPELINE}/throughput"))["budget"] is None
