"""The status server's HTTP endpoints."""

from __future__ import annotations

import asyncio
import random
from typing import Any
from urllib.parse import urlsplit

import pytest
from uuid6 import uuid7

from raglive.status_server.timeouts import Timeouts
from raglive.store.log.event_log import EventLog
from raglive.store.pool import Database
from raglive.store.registry.jobs import Jobs
from raglive.store.registry.pipelines import PipelineRecord
from raglive_contract.errors import ErrorResponse
from raglive_contract.http import EventPage, PipelineList, SearchAnswer, ServerHealth
from raglive_contract.permissions import Role
from raglive_contract.snapshot import PipelineStatus
from raglive_contract.socket import PublishAck
from tests.integration.status_server.conftest import LogLines
from tests.integration.status_server.serving import (
    Serving,
    completed,
    online,
    processing,
    publish,
    serving,
    update,
)
from tests.integration.status_server.watching import watching
from tests.integration.store.files import chunks, complete, enqueue
from tests.relay import Relay

PIPELINE = "local-files-pipeline"
NEW = {"pipeline_id": PIPELINE, "pipeline_type": "local_files"}


async def test_health_counts_connected_clients(server: Serving) -> None:
    async with server.client() as client, watching(server.url), watching(server.url):
        health = ServerHealth.model_validate((await client.get("/health")).json())
        assert (health.status, health.connected_clients) == ("healthy", 2)
        assert health.websocket_server == "running"
        assert (await client.get("/health/live")).json() == {"status": "alive"}
        assert (await client.get("/health/ready")).json() == {"status": "ready"}
        metrics = (await client.get("/metrics")).text
        assert "raglive_connected_clients 2.0" in metrics


async def test_an_unreadable_request_gets_the_error_object(server: Serving) -> None:
    parts = urlsplit(server.url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(b"GET /health?" + b"x" * 70_000 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
    async with asyncio.timeout(10):
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    writer.close()
    assert head.startswith(b"HTTP/1.1 400 ")
    assert ErrorResponse.model_validate_json(body).error.code == "invalid_request"


async def test_it_is_not_ready_while_the_log_cannot_be_read(database: Database) -> None:
    async with Relay(database.dsn) as relay:
        through = await Database.connect(relay.dsn, name="status server")
        async with (
            serving(through, timeouts=Timeouts(log_lag=0.5)) as server,
            server.client() as client,
        ):
            await relay.cut()
            async with asyncio.timeout(10):
                while (answer := await client.get("/health/ready")).status_code == 200:
                    await asyncio.sleep(0.05)
            assert answer.status_code == 503
            error = ErrorResponse.model_validate(answer.json()).error
            assert (error.code, error.retryable) == ("unavailable", True)
            assert (await client.get("/health")).json()["status"] == "degraded"
            assert (await client.get("/health/live")).status_code == 200
            for path in ("/status", "/v1/pipelines"):
                assert (await client.get(path)).status_code == 503
            event = update() | NEW
            assert (await client.post("/v1/events", json={"events": [event]})).status_code == 503
            await relay.restore()
            async with asyncio.timeout(10):
                while (await client.get("/health/ready")).status_code != 200:
                    await asyncio.sleep(0.05)
        await through.close()


async def test_status_shows_what_the_caller_may_see(server: Serving, database: Database) -> None:
    for name in ("mine", "theirs"):
        await publish(database, [online(), processing("a"), completed("a")], name)
    async with server.client(Role.VIEWER, "mi*") as client:
        status = (await client.get("/status")).json()
        [shown] = [PipelineStatus.model_validate(one) for one in status["pipelines"]]
        assert (shown.pipeline_id, shown.counts.completed) == ("mine", 1)
        listed = PipelineList.model_validate((await client.get("/v1/pipelines")).json())
        assert [one.pipeline_id for one in listed.pipelines] == ["mine"]
        one = PipelineStatus.model_validate((await client.get("/v1/pipelines/mine")).json())
        assert one.cursor == shown.cursor
        events = (await client.get("/v1/pipelines/mine/events?limit=2")).json()
        assert [one.type for one in EventPage.model_validate(events).events] == [
            "file:completed",
            "file:processing",
        ]
        assert (await client.get("/v1/pipelines/mine/files")).json()["total"] == 1
        refusals = [
            (await client.get(f"/v1/pipelines/{name}")) for name in ("theirs", "missing", "..%00")
        ]
        assert {answer.status_code for answer in refusals} == {404}
        assert len({answer.json()["error"]["message"] for answer in refusals}) == 1


async def test_pipelines_are_listed_in_pages_of_at_most_100_kb(
    server: Serving, database: Database
) -> None:
    names = [f"mine-{number:02d}" for number in range(12)]
    events = [completed(f"{number}" + "x" * 500) for number in range(10)]
    for name in ["theirs", *names]:
        await publish(database, [event | {"id": str(uuid7())} for event in events], name)
    async with server.client(Role.VIEWER, "mine-*") as client:
        for path, limit in (("/v1/pipelines", 5), ("/v1/pipelines", 100), ("/status", 100)):
            listed: list[str] = []
            query: dict[str, Any] = {"limit": limit}
            sizes: list[int] = []
            while query.get("after", "") is not None:
                answer = await client.get(path, params=query)
                page = answer.json()
                assert (len(answer.content) < 100_000, page["total"]) == (True, 12)
                sizes.append(len(page["pipelines"]))
                listed += [one["pipeline_id"] for one in page["pipelines"]]
                query["after"] = page["next"]
            assert listed == names
            assert len(sizes) > 1, "the statuses are longer than a page"
            assert max(sizes) <= limit
        past = (await client.get("/v1/pipelines", params={"after": "z"})).json()
        assert past == {"pipelines": [], "next": None, "total": 12}


@pytest.mark.parametrize("path", ["/status", "/v1/pipelines", "/v1/pipelines/x"])
async def test_a_token_is_required(server: Serving, path: str) -> None:
    async with server.client() as client:
        for headers in ({"Authorization": ""}, {"Authorization": "Bearer x"}):
            answer = await client.get(path, headers=headers)
            assert answer.status_code == 401
            ErrorResponse.model_validate(answer.json())


async def test_a_batch_is_published_once(server: Serving, database: Database) -> None:
    batch = {"events": [event | NEW for event in (online(), processing("a"), completed("a"))]}
    batch["events"].append(batch["events"][1])
    async with server.client(Role.PRODUCER, "local-*") as client:
        first = PublishAck.model_validate((await client.post("/v1/events", json=batch)).json())
        again = PublishAck.model_validate((await client.post("/v1/events", json=batch)).json())
    assert (first.accepted, first.duplicates) == (3, 1)
    assert (again.accepted, again.duplicates) == (0, 4)
    [head] = await EventLog(database).heads()
    assert (head.seq, str(head.position)) == (3, again.cursor)


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = {"x": value}
    return value


def without(event: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in event.items() if name not in names}


RANDOM = random.Random(1)
INCOMPRESSIBLE = "".join(chr(RANDOM.randrange(0x4E00, 0x9FFF)) for _ in range(1024))
FILE = {"id": "f", "name": INCOMPRESSIBLE, "completed_at": "2026-01-02T03:04:05Z"}
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "a field is missing": (
        without(completed("a") | NEW, "results"),
        "events.0.file:completed.results",
    ),
    "of another type": (completed("a") | NEW | {"attempt": "one"}, "attempt"),
    "unknown field": (update() | NEW | {"sequence": 1}, "sequence"),
    "unknown event": (update() | NEW | {"type": "file:exploded"}, "events.0"),
    "no id": (without(update() | NEW, "id"), "id"),
    "not an id": (update() | NEW | {"id": "7"}, "id"),
    "unknown pipeline without a type": (update() | {"pipeline_id": "new"}, "pipeline_type"),
    "NUL in a name": (completed("a\0") | NEW, "U+0000"),
    "NUL anywhere": (update(note="a\0b") | NEW, "stored"),
    "too deep": (update(x=nested(400)) | NEW, "nested"),
    "a time before all times": (
        online() | NEW | {"started_at": "0001-01-01T00:00:00+14:00"},
        "events.0",
    ),
    "a time after all times": (
        online() | NEW | {"started_at": "9999-12-31T23:59:59-14:00"},
        "events.0",
    ),
    "a name that no index holds": (completed("f") | NEW | {"file": FILE}, "stored"),
}


@pytest.mark.parametrize("name", REFUSED)
async def test_an_invalid_event_is_refused_with_its_position(
    server: Serving, database: Database, name: str
) -> None:
    event, place = REFUSED[name]
    good = update() | NEW
    for events in ([event], [good, event]):
        async with server.client() as client:
            answer = await client.post("/v1/events", json={"events": events})
        assert answer.status_code == 422, answer.text
        error = ErrorResponse.model_validate(answer.json()).error
        assert error.code == "invalid_event"
        assert place.replace("events.0", f"events.{len(events) - 1}") in error.message
        assert await EventLog(database).heads() == [], "all of it or nothing"
    if name != "too deep":  # for the client
        async with watching(server.url, role=Role.ADMIN) as producer:
            refused = await producer.ask("publish", {"events": events})
            assert refused["error"]["code"] == "invalid_event"


BODIES: dict[str, tuple[bytes, int, str]] = {
    "nothing": (b"", 422, "invalid_request"),
    "not JSON": (b"{", 422, "invalid_request"),
    "not UTF-8": (b'{"events":["\xff"]}', 422, "invalid_request"),
    "too deep to read": (b"[" * 100_000, 422, "invalid_request"),
    "a number beyond all": (b'{"events":[' + b"9" * 400 + b"]}", 422, "invalid_request"),
    "a surrogate": (b'{"events":["\\ud800"]}', 422, "invalid_request"),
    "another shape": (b"[1]", 422, "invalid_event"),
    "no events": (b'{"events":[]}', 422, "invalid_event"),
    "too many events": (b'{"events":[' + b",".join([b"{}"] * 1001) + b"]}", 422, "invalid_event"),
    "too large": (b" " * (17 * 2**20), 413, "payload_too_large"),
}


async def test_invalid_bodies_are_refused(server: Serving) -> None:
    async with server.client() as client:
        for name, (body, status, code) in BODIES.items():
            answer = await client.post("/v1/events", content=body)
            error = ErrorResponse.model_validate(answer.json()).error
            assert (answer.status_code, error.code) == (status, code), name


async def test_publishing_requires_the_right(server: Serving, database: Database) -> None:
    await publish(database, [online()], "mine")
    event = {"events": [update() | {"pipeline_id": "mine"}]}
    for role, pipelines in ((Role.VIEWER, "*"), (Role.OPERATOR, "*"), (Role.PRODUCER, "other")):
        async with server.client(role, pipelines) as client:
            answer = await client.post("/v1/events", json=event)
            assert (answer.status_code, answer.json()["error"]["code"]) == (403, "forbidden")
    async with server.client() as client:
        answer = await client.post("/v1/events", json=event, headers={"Authorization": ""})
        assert answer.status_code == 401
    [head] = await EventLog(database).heads()
    assert head.seq == 1


async def test_a_truncated_body_is_not_an_error_of_the_server(
    server: Serving, log_lines: LogLines
) -> None:
    async with server.client() as client:
        token = client.headers["authorization"]
        host, port = server.url.removeprefix("http://").split(":")
        _, writer = await asyncio.open_connection(host, int(port))
        writer.write(
            f"POST /v1/events HTTP/1.1\r\nHost: x.localhost\r\nAuthorization: {token}\r\n"
            "Content-Length: 1000\r\n\r\n{".encode()
        )
        await writer.drain()
        writer.close()
        async with asyncio.timeout(5):
            while not [line for line in log_lines if line.get("path") == "/v1/events"]:
                await asyncio.sleep(0.02)
        assert (await client.get("/health")).status_code == 200


@pytest.mark.disagrees
async def test_search_applies_the_rights_of_the_token(
    database: Database, pipeline: PipelineRecord
) -> None:
    jobs = Jobs(pipeline, "worker", 60)
    await enqueue(pipeline, "pumps.txt")
    [job] = await jobs.claim(1)
    await complete(jobs, job, chunks("heat pumps", 1))
    query = {"q": "heat", "mode": "text"}
    async with serving(database) as server:
        async with server.client(Role.VIEWER) as client:
            found = await client.get("/v1/search", params=query)
            [hit] = SearchAnswer.model_validate(found.json()).hits
            assert (hit.file.name, hit.content) == ("pumps.txt", "heat pumps 0")
        async with server.client(Role.VIEWER, "others") as client:
            assert (await client.get("/v1/search", params=query)).json()["hits"] == []
            bare = await client.get("/v1/search", params=query, headers={"Authorization": ""})
            assert bare.status_code == 401
