"""The state of pipelines as metrics: by type, by pipeline if configured, and never out of date."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from decimal import Decimal

import pytest
from httpx import AsyncClient
from prometheus_client.parser import text_string_to_metric_families

from raglive.status_server import pipeline_metrics
from raglive.store import process_metrics
from raglive.store.accounting.spending import Spending, Usage
from raglive.store.pool import Database
from raglive.store.registry.pipelines import PauseReason, PipelineRecord
from raglive_contract.errors import ErrorCode
from tests.integration.dashboard.serving import Work
from tests.integration.status_server.serving import serving
from tests.relay import Relay

LOCAL = {"type": "local_files"}


async def samples(client: AsyncClient) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    text = (await client.get("/metrics")).text
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def troubled(database: Database) -> PipelineRecord:
    """Make a pipeline with a file in every state, a pause, a problem and half of a budget."""
    record = await PipelineRecord.register(database, "papers", "local_files")
    work = Work(record)
    await record.announce_online(60, "/documents")
    await work.complete("a.txt")
    await work.fail("b.txt")
    await work.skip("c.txt", "empty")
    await work.queue("stuck", "lost", "processing")
    for _ in range(3):
        await work.start()
    await work.queue("due", "waiting")
    await database.execute(
        """
        UPDATE raglive.files SET
            stuck_at = CASE name WHEN 'stuck' THEN now() END,
            lease_until = CASE name WHEN 'lost' THEN now() ELSE lease_until END,
            next_attempt_at = next_attempt_at
                + CASE name WHEN 'due' THEN interval '-100 s' WHEN 'waiting' THEN interval '1 h' END
        WHERE name IN ('stuck', 'lost', 'due', 'waiting')
        """
    )
    code = ErrorCode.EMBEDDING_UNAVAILABLE
    await record.set_paused(PauseReason(code, "It does not answer.", "Files wait.", "Wait."))
    await record.set_problem("deletions_held", "Many files are gone.")
    await record.set_budget(1.0, 10.0, "month")
    async with database.transaction() as connection:
        await Spending(database, record.key).record(connection, "m", {0: Usage(1, 1, Decimal(5))})
    return record


async def test_they_show_what_pipelines_do(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_metrics, "READ_INTERVAL_SECONDS", 0)
    record = await troubled(database)
    other = await PipelineRecord.register(database, "other", "s3")
    await other.set_problem("made up by its producer", "No.")
    async with serving(database) as server, server.client() as client:
        found = await samples(client)

        def value(name: str, labels: Mapping[str, str] = LOCAL) -> float:
            return found[f"raglive_{name}", frozenset(labels.items())]

        states = ("queued", "waiting", "processing", "stuck", "lost")
        for state in (*states, "completed", "failed", "skipped"):
            assert value("files", LOCAL | {"state": state}) == 1
        assert value("pipelines", LOCAL | {"status": "online", "reason": ""}) == 1
        assert value("paused_pipelines", LOCAL | {"code": "embedding_unavailable"}) == 1
        assert value("pipeline_problems", LOCAL | {"code": "deletions_held"}) == 1
        assert value("pipeline_problems", {"type": "s3", "code": "other"}) == 1
        assert 100 <= value("oldest_queued_seconds") < 200
        assert value("embedding_budget_spent_ratio") == 0.5
        assert value("database_up", {}) == 1
        assert value("database_connections", {"state": "idle"}) >= 1
        assert value("database_waiting", {}) == 0
        assert ("raglive_last_check_seconds", frozenset(LOCAL.items())) not in found

        assert await record.acquire_watch("me", 60, [])
        await record.set_paused(None)
        found = await samples(client)
        assert 0 <= value("last_check_seconds") < 60
        assert not any(name == "raglive_paused_pipelines" for name, _ in found)


async def test_a_label_names_a_pipeline_only_if_configured_and_within_a_limit(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline_metrics, "MAX_GROUPS", 2)
    for name in ("a", "b", "c", "d"):
        await PipelineRecord.register(database, name, "local_files")
    async with (
        serving(database, RAGLIVE_METRICS_PIPELINE_LABEL="true") as server,
        server.client() as client,
    ):
        counted = {
            dict(labels)["pipeline"]: value
            for (name, labels), value in (await samples(client)).items()
            if name == "raglive_pipelines"
        }
    assert counted == {"a": 1, "b": 1, "other": 2}


async def test_nothing_out_of_date_is_shown_while_the_database_does_not_answer(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process_metrics, "READ_INTERVAL_SECONDS", 0)
    monkeypatch.setattr(process_metrics, "READ_TIMEOUT_SECONDS", 0.2)
    await PipelineRecord.register(database, "a", "local_files")
    async with Relay(database.dsn) as relay:
        through = await Database.connect(relay.dsn, name="status server")
        async with serving(through) as server, server.client() as client:
            assert (await samples(client))["raglive_database_up", frozenset()] == 1
            relay.stall()
            async with asyncio.timeout(2):
                found = await samples(client)
            assert found["raglive_database_up", frozenset()] == 0
            assert not any(name == "raglive_pipelines" for name, _ in found)
            await relay.restore()
        await through.close()
