"""The metrics are correct, valid for Prometheus, and name no pipeline, file or person."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import Callable

import pytest
import socketio
from httpx import AsyncClient
from prometheus_client.parser import text_string_to_metric_families
from starlette.types import ASGIApp
from tools import reference_servers

from raglive.status_server.timeouts import Timeouts
from raglive.store.pool import Database
from raglive_contract.permissions import Role
from tests.integration.status_server.conftest import LogLines
from tests.integration.status_server.serving import (
    Serving,
    online,
    publish,
    serving,
    update,
)
from tests.integration.status_server.watching import Viewer, watching
from tests.relay import Relay

PIPELINE = "local-files-pipeline"
Counted = dict[str, float]


async def counted(client: AsyncClient) -> Counted:
    """Every sample by its name and labels, checked to name no pipeline and no person."""
    text = (await client.get("/metrics")).text
    assert PIPELINE not in text
    assert "tester" not in text
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            labels = ",".join(f"{name}={sample.labels[name]}" for name in sorted(sample.labels))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


async def test_events_and_connections_are_counted(server: Serving, database: Database) -> None:
    cursor = await publish(database, [online()])
    async with server.client(Role.ADMIN) as client:
        before = await counted(client)
        event = update() | {"pipeline_id": PIPELINE}
        async with watching(server.url) as first, watching(server.url, transports=["polling"]):
            await first.subscribe(cursor=cursor)
            assert (await first.ask("subscribe", {"cursor": "?"}))["ok"] is False
            for _ in range(2):
                await client.post("/v1/events", json={"events": [event]})
            await first.until(first.durable)
            during = await counted(client)
        stranger = Viewer(server.url)
        with pytest.raises(socketio.exceptions.ConnectionError):
            await stranger.connect({"token": "x"})
        await stranger.close()
        async with asyncio.timeout(5):
            while (after := await counted(client))["raglive_connected_clients"]:
                await asyncio.sleep(0.02)

    names = [name.removeprefix("raglive_") for name in after]

    def grew(name: str) -> float:
        return after[f"raglive_{name}"] - before.get(f"raglive_{name}", 0)

    assert during["raglive_connections_by_transport{transport=websocket}"] == 1
    assert during["raglive_connections_by_transport{transport=polling}"] == 1
    assert during["raglive_connected_clients"] == 2
    assert grew("connections_total{namespace=/local_files}") == 2
    assert grew("connection_duration_seconds_count") == 2
    assert grew("refused_connections_total{code=unauthenticated}") == 1
    assert grew("reconnects_total") == 1
    assert grew("resumes_total{place=ring}") == 1
    assert grew("events_emitted_total{type=status:update}") == 1
    emitted = sum(grew(name) for name in names if name.startswith("events_emitted_total"))
    assert 1 <= grew("deliveries_total") <= emitted, "one viewer is told; a summary may follow"
    assert grew("events_accepted_total") == 1
    assert grew("events_duplicate_total") == 1
    assert grew("commit_to_emit_seconds_count") >= 1
    assert grew("socket_request_seconds_count{outcome=ok,request=subscribe}") == 1
    assert grew("socket_request_seconds_count{outcome=cursor_invalid,request=subscribe}") == 1
    assert grew("http_request_seconds_count{method=POST,status=200}") >= 2
    assert grew("database_query_seconds_count") > 0
    assert grew("sent_bytes_total") > grew("received_bytes_total") > 0
    assert 0 <= after["raglive_log_lag_seconds"] < 5
    assert 0 <= after["raglive_bus_silence_seconds{service=postgres}"] < 15
    assert after["raglive_held_bytes"] == after["raglive_queued_packets"] == 0


async def test_a_request_can_be_traced_in_the_log(
    server: Serving, database: Database, log_lines: LogLines
) -> None:
    event = update() | {"pipeline_id": PIPELINE, "pipeline_type": "local_files"}
    async with server.client(Role.PRODUCER) as client:
        answer = await client.post(
            "/v1/events", json={"events": [event]}, headers={"X-Request-ID": "traced-1"}
        )
        assert answer.headers["X-Request-ID"] == "traced-1"
    async with watching(server.url) as viewer:
        refused = await viewer.ask("subscribe", {"pipeline_id": "unknown"})
    [published] = [line for line in log_lines if line["event"] == "events_published"]
    assert published["events"] == [event["id"]]
    assert published["cursor"].endswith("0000000000000001")
    [asked] = [line for line in log_lines if line.get("request") == "subscribe"]
    assert (asked["outcome"], asked["duration_ms"] > 0) == ("not_found", True)
    assert refused["error"]["request_id"]
    assert "eyJ" not in str(log_lines), "no token is logged"


async def test_it_is_degraded_while_the_bus_is_silent_and_stays_ready(database: Database) -> None:
    async with Relay(database.dsn) as relay:
        through = await Database.connect(relay.dsn, name="status server")
        timeouts = Timeouts(log_lag=60, bus_silence=0.5)
        async with serving(through, timeouts=timeouts) as server, server.client() as client:
            await relay.cut()
            async with asyncio.timeout(10):
                while (health := (await client.get("/health")).json())["status"] == "healthy":
                    await asyncio.sleep(0.05)
            assert health["problems"] == ["messages do not arrive over postgres"]
            assert (await client.get("/health/ready")).status_code == 200
            await relay.restore()
            async with asyncio.timeout(10):
                while (await client.get("/health")).json()["status"] != "healthy":
                    await asyncio.sleep(0.05)
        await through.close()


async def test_it_is_not_alive_when_the_log_is_no_longer_read(
    server: Serving, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with server.client() as client:
        assert (await client.get("/health/live")).status_code == 200
        reader = server.status.components.hub._reader
        monkeypatch.setattr(reader, "read_all", asyncio.Event().wait)
        async with asyncio.timeout(5):
            while (await client.get("/health/live")).status_code == 200:
                reader._tried_at = float("-inf")
                await asyncio.sleep(0.02)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not installed")
@pytest.mark.parametrize(
    "app",
    [
        reference_servers._status_server,
        reference_servers._dashboard,
        reference_servers._pipeline,
    ],
)
def test_prometheus_accepts_them(app: Callable[[], ASGIApp]) -> None:
    text = reference_servers._get(app(), "/metrics").text
    checked = subprocess.run(
        ["promtool", "check", "metrics"],
        check=False,
        input=text,
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert (checked.returncode, checked.stderr) == (0, "")
