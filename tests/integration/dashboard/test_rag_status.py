from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

import asyncpg
import pytest
from httpx import AsyncClient, Response

from raglive.bus.bus import Message
from raglive.bus.postgres import PostgresBus
from raglive.store.log.event_log import EventLog
from raglive.store.pool import Database
from raglive.store.registry.pipelines import PipelineRecord
from raglive_contract.cursor import parse_cursor
from raglive_contract.events import PipelineSummary
from raglive_contract.http import RagStatus
from raglive_contract.permissions import Grant, Role
from raglive_contract.redaction import WITHHELD
from tests.integration.dashboard.serving import TOKENS, Work, bearer, opened

PATH = "/api/rag-status"


async def poll(http: AsyncClient, **query: Any) -> dict[str, Any]:
    response = await http.get(PATH, params=query)
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    RagStatus.model_validate(body)
    return body


async def follow(http: AsyncClient, cursor: str, **query: Any) -> tuple[list[dict[str, Any]], str]:
    """Poll until `up_to_date`, as a viewer does."""
    events: list[dict[str, Any]] = []
    while True:
        body = await poll(http, cursor=cursor, **query)
        events += body["events"]
        cursor = body["next_cursor"]
        if body["up_to_date"]:
            return events, cursor


def error_of(response: Response) -> str:
    code: str = response.json()["error"]["code"]
    return code


async def test_an_empty_database_is_a_status_too(http: AsyncClient, database: Database) -> None:
    body = await poll(http)
    assert (body["status"], body["pipelines"], body["events"]) == ("offline", [], [])
    record = await PipelineRecord.register(database, "first", "local_files")
    await record.announce_online(60, "/documents")
    answer = await poll(http, cursor=body["next_cursor"], wait=10)
    assert [event["type"] for event in answer["events"]] == ["pipeline:online"]


async def test_the_status_shows_what_the_pipelines_do(http: AsyncClient, work: Work) -> None:
    await work.pipeline.announce_online(60, "/documents")
    await work.complete("a.txt", "b.txt")
    await work.fail("c.txt")
    await work.queue("d.txt")
    await work.start()
    body = await poll(http)
    assert body["status"] == "online"
    assert [file["name"] for file in body["files_processing"]] == ["d.txt"]
    assert [file["name"] for file in body["files_completed"]] == ["b.txt", "a.txt"]
    assert [file["name"] for file in body["files_failed"]] == ["c.txt"]
    [pipeline] = body["pipelines"]
    assert pipeline["is_active"]
    assert body["status_details"] == pipeline["status_details"]
    assert body["status_details"]["cursor"] == body["next_cursor"]
    assert (body["websocket_available"], body["fallback_mode"]) == (False, True)
    assert body["websocket_namespaces"] == ["/google_drive", "/local_files"]


async def test_every_event_is_delivered_once_and_in_its_pipelines_order(
    http: AsyncClient, database: Database, work: Work
) -> None:
    other = await PipelineRecord.register(database, "other", "s3")
    for number in range(300):
        await work.pipeline.announce_online(number, "/documents")
        await other.announce_online(number, "s3://documents")
    events, cursor = await follow(http, "-1")
    log = EventLog(database)
    for head in await log.heads():
        of_pipeline = [e for e in events if e["pipeline_id"] == head.pipeline_id]
        assert of_pipeline == [e.event for e in await log.read_after(head, 0, 1000)]
    assert [e["timestamp"] for e in events] == sorted(e["timestamp"] for e in events)
    assert (await follow(http, cursor))[0] == []

    await other.announce_offline("error")
    assert [e["seq"] for e in (await follow(http, cursor, wait=20))[0]] == [301]
    alone, _ = await follow(http, events[-3]["cursor"], pipeline_id=events[-3]["pipeline_id"])
    assert [e["pipeline_id"] for e in alone] == [events[-3]["pipeline_id"]] * len(alone)


async def test_an_answer_holds_at_most_100_kb_of_events(http: AsyncClient, work: Work) -> None:
    for number in range(501):
        await work.pipeline.announce_online(number, "/documents")
    events, cursor, sizes = [], "-1", []
    while True:
        answer = await http.get(PATH, params={"cursor": cursor})
        body = answer.json()
        events += body["events"]
        cursor = body["next_cursor"]
        assert cursor == events[-1]["cursor"]
        sizes.append(len(answer.content))
        if body["up_to_date"]:
            break
    assert [event["seq"] for event in events] == list(range(1, 502))
    assert 1 < len(sizes) < 5
    assert max(sizes) < 100_000


async def test_a_poll_can_wait_for_the_next_event(http: AsyncClient, work: Work) -> None:
    waiting = asyncio.create_task(poll(http, cursor="now", wait=20))
    started = await _until_waiting(waiting, http)
    await work.pipeline.announce_online(60, "/documents")
    body = await waiting
    assert [event["type"] for event in body["events"]] == ["pipeline:online"]
    assert time.monotonic() - started < 5


async def _until_waiting(waiting: asyncio.Task[Any], http: AsyncClient) -> float:
    await poll(http)  # the status is cached, and the poll that waits uses it
    assert not waiting.done()
    return time.monotonic()


async def test_a_poll_waits_no_longer_than_requested(http: AsyncClient, work: Work) -> None:
    started = time.monotonic()
    body = await poll(http, cursor="now", wait=0.2)
    assert body["events"] == []
    assert 0.2 <= time.monotonic() - started < 2


async def test_a_stopping_server_answers_waiting_polls(http: AsyncClient, work: Work) -> None:
    waiting = asyncio.create_task(poll(http, cursor="now", wait=30))
    await poll(http)
    assert not waiting.done()
    http._transport.app.state.release_waiting()  # type: ignore[attr-defined]  # httpx hides it
    async with asyncio.timeout(5):
        assert (await waiting)["events"] == []


async def test_nothing_new_is_304_and_asks_the_database_once_a_second(dsn: str) -> None:
    database = await Counting.connect(dsn, name="counting")
    try:
        pipeline = await PipelineRecord.register(database, "p", "local_files")
        await pipeline.announce_online(60, "/documents")
        async with Heard(dsn) as bus, opened(database, bus=bus) as http:
            await bus.is_listening.wait()  # at its start, the cached status counts as outdated
            answer = await http.get(PATH, params={"cursor": "now"})
            tag = answer.headers["ETag"]
            assert answer.json()["next_cursor"] in tag
            queries, started = database.queries, time.monotonic()
            for _ in range(200):
                again = await http.get(
                    PATH, params={"cursor": "now"}, headers={"If-None-Match": f'"x", W/{tag}'}
                )
                assert (again.status_code, again.content) == (304, b"")
                assert again.headers["ETag"] == tag
            assert database.queries - queries <= 1 + (time.monotonic() - started)

            await pipeline.announce_offline("normal_shutdown")
            since = {"cursor": answer.json()["next_cursor"], "wait": 20}
            changed = await http.get(PATH, params=since, headers={"If-None-Match": tag})
            assert changed.status_code == 200
            metrics = (await http.get("/metrics")).text
            assert 'raglive_polls_total{result="unchanged"} 200.0' in metrics
            assert 'raglive_polls_total{result="changed"} 2.0' in metrics
            assert "raglive_open_polls 0.0" in metrics
    finally:
        await database.close()


class Counting(Database):
    queries = 0

    async def fetch(self, query: str, *args: Any) -> list[asyncpg.Record]:
        self.queries += 1
        return await super().fetch(query, *args)


class Heard(PostgresBus):
    def __init__(self, dsn: str) -> None:
        super().__init__(dsn)
        self.is_listening = asyncio.Event()

    async def listen(self, *, live: bool = True) -> AsyncGenerator[Message, None]:
        async with aclosing(super().listen(live=live)) as messages:
            async for message in messages:
                yield message
                self.is_listening.set()


async def test_progress_and_heartbeats_change_the_tag_while_files_are_processed(
    http: AsyncClient, work: Work
) -> None:
    await work.queue("a.txt")
    job = await work.start()
    tags = set()
    for share in (0.1, 0.5):
        await work.jobs.renew_leases([(job.file_key, "embedding", share)])
        unknown = await http.get(PATH, params={"cursor": f"{'0' * 16}.{'0' * 16}"})
        assert unknown.status_code == 410, "and the status was read again"
        answer = await http.get(PATH)
        [file] = answer.json()["files_processing"]
        assert (file["progress"], file["processing_stage"]) == (share, "embedding")
        tags.add(answer.headers["ETag"])
    assert len(tags) == 2


async def test_the_summary_counts_files_that_were_queued_without_an_event(
    http: AsyncClient, database: Database, work: Work
) -> None:
    async def summary(**query: Any) -> tuple[dict[str, Any], str]:
        answer = await http.get(PATH, params=query)
        [pipeline] = answer.json()["pipelines"]
        found: dict[str, Any] = pipeline["summary"]
        PipelineSummary.model_validate(found)
        assert found["digest"] or not found["head_seq"]
        return found, answer.headers["ETag"]

    async def until(condition: Callable[[dict[str, Any]], bool]) -> str:
        async with asyncio.timeout(10):
            while True:
                found, tag = await summary()
                if condition(found):
                    return tag

    await work.fail("a.txt", message="Broken.")
    failed = await until(lambda it: bool(it["counts"]["failed"]))
    waiting = asyncio.create_task(summary(cursor="now", wait=20))
    await summary()
    await database.execute(
        "INSERT INTO raglive.files (pipeline_key, file_id, name, state, location, next_attempt_at) "
        "VALUES ($1, 'b', 'b.txt', 'queued', 'b', now())",
        work.pipeline.key,
    )
    async with asyncio.timeout(10):
        await waiting
    queued = await until(lambda it: bool(it["counts"]["queued"]))
    assert queued != failed
    found, _ = await summary()
    assert [group["message"] for group in found["failures"]] == ["Broken."]
    await database.execute("DELETE FROM raglive.files WHERE file_id = 'b'")


async def test_the_summary_of_a_redacted_viewer_withholds_messages(
    database: Database, work: Work
) -> None:
    await work.fail("secret.txt", message="secret.txt is broken")
    token = TOKENS.issue(Grant(Role.VIEWER, ("*",), redact=True), 300, "me")
    redacted = {"Authorization": f"Bearer {token}"}
    async with opened(database, client="10.0.0.7", signed_in=False) as http:
        body = (await http.get(PATH, headers=redacted)).text
        assert "secret" not in body
        [group] = RagStatus.model_validate_json(body).pipelines[0].summary.failures
        assert (group.count, group.message) == (1, WITHHELD)


async def test_many_pipelines_are_sent_in_parts_and_then_by_difference(
    http: AsyncClient, database: Database, work: Work
) -> None:
    many = 60
    for number in range(2, many + 1):
        await PipelineRecord.register(database, f"p{number}", "local_files")
    async with asyncio.timeout(10):  # a pipeline without events is no hint
        while True:
            plain = await http.get(PATH)
            shown = plain.json()
            if len(shown["pipelines"]) + shown["pipelines_left"] == many:
                break
    assert len(plain.content) < 100_000
    assert (len(shown["next_cursor"].split("~")), shown["up_to_date"]) == (many, True)

    body = await poll(http, seen="")
    parts = [body]
    while not body["up_to_date"]:
        again = {"cursor": body["next_cursor"], "seen": body["seen"]}
        answer = await http.get(PATH, params=again)
        assert len(answer.content) < 100_000
        body = answer.json()
        parts.append(body)
    sent = [it["pipeline_id"] for part in parts for it in part["pipelines"]]
    assert (len(parts), len(sent), len(set(sent))) == (len(parts), many, many)
    assert len(parts) > 1

    async def next_part(**query: Any) -> dict[str, Any]:
        nonlocal body
        asked = {"cursor": body["next_cursor"], "seen": body["seen"], **query}
        response = await http.post(PATH, json=asked)
        assert response.status_code == 200, response.text
        body = RagStatus.model_validate_json(response.content).wire()
        return body

    assert (await next_part())["pipelines"] == []
    await work.fail("a.txt")
    seen_events: list[dict[str, Any]] = []
    changed: set[str] = set()
    while len(seen_events) < 3 or not body["up_to_date"]:
        part = await next_part(wait=20)
        seen_events += part["events"]
        changed |= {it["pipeline_id"] for it in part["pipelines"]}
    assert [event["seq"] for event in seen_events] == [1, 2, 3]
    assert changed == {work.pipeline.pipeline_id}

    await database.execute("DELETE FROM raglive.pipelines WHERE pipeline_id = 'p2'")
    gone = next(
        it["status_details"]["cursor"].partition(".")[0]
        for part in parts
        for it in part["pipelines"]
        if it["pipeline_id"] == "p2"
    )
    assert (await next_part(wait=20))["removed"] == [gone]
    assert (await next_part())["removed"] == []
    tagged = {"cursor": body["next_cursor"], "seen": body["seen"]}
    tag = (await http.get(PATH, params=tagged)).headers["ETag"]
    assert len(tag) < 100
    unchanged = await http.get(PATH, params=tagged, headers={"If-None-Match": tag})
    assert unchanged.status_code == 304


@pytest.mark.parametrize(
    "asked", [{"seen": "x"}, {"seen": "ab.12345678"}, {"cursor": "now", "seen": "ab." + "0" * 9}]
)
async def test_a_token_of_another_answer_is_refused(
    http: AsyncClient, work: Work, asked: dict[str, str]
) -> None:
    for refused in (await http.get(PATH, params=asked), await http.post(PATH, json=asked)):
        assert (refused.status_code, error_of(refused)) == (422, "invalid_request")
        assert "seen" in refused.json()["error"]["message"]


@pytest.mark.parametrize(
    ("cursor", "status", "code"),
    [
        ("0123456789abcdef.0000000000000001", 410, "cursor_expired"),
        ("yesterday", 400, "cursor_invalid"),
        ("", 400, "cursor_invalid"),
        ("-2", 400, "cursor_invalid"),
    ],
)
async def test_a_cursor_that_cannot_be_resumed_is_refused(
    http: AsyncClient, work: Work, cursor: str, status: int, code: str
) -> None:
    refused = await http.get(PATH, params={"cursor": cursor})
    assert (refused.status_code, error_of(refused)) == (status, code)


async def test_a_cursor_ahead_of_the_log_is_expired(http: AsyncClient, work: Work) -> None:
    cursor = parse_cursor((await poll(http))["next_cursor"])
    [position] = cursor.positions.values()
    ahead = f"{position.epoch}.{position.seq + 1:016d}"
    refused = await http.get(PATH, params={"cursor": ahead})
    assert (refused.status_code, error_of(refused)) == (410, "cursor_expired")


async def test_a_cursor_newer_than_any_hint_is_resumed(
    http: AsyncClient, database: Database, work: Work
) -> None:
    for number in range(20):
        await work.pipeline.announce_online(number, "/documents")
        [head] = await EventLog(database).heads()
        body = await poll(http, cursor=str(head.position))
        assert (body["events"], body["next_cursor"]) == ([], str(head.position))


async def test_a_new_pipeline_is_shown_at_once(http: AsyncClient, database: Database) -> None:
    await poll(http)
    await PipelineRecord.register(database, "new", "local_files")
    assert (await poll(http, pipeline_id="new"))["status_details"]["pipeline_id"] == "new"


@pytest.mark.parametrize("query", ["wait=-1", "wait=nan", "wait=soon", "pipeline_id=" + "x" * 200])
async def test_a_question_that_makes_no_sense_is_refused(http: AsyncClient, query: str) -> None:
    refused = await http.get(f"{PATH}?{query}")
    assert (refused.status_code, error_of(refused)) == (422, "invalid_request")


async def test_a_remote_token_decides_what_is_shown(database: Database, work: Work) -> None:
    secret = await PipelineRecord.register(database, "secret", "local_files")
    await secret.announce_online(60, "/secret")
    async with opened(database, client="10.0.0.7", signed_in=False) as http:
        refused = await http.get(PATH)
        assert (refused.status_code, error_of(refused)) == (401, "unauthenticated")
        mine = bearer("local-*")
        body = (await http.get(PATH, headers=mine)).json()
        assert [p["pipeline_id"] for p in body["pipelines"]] == ["local-files-pipeline"]
        answers = [
            await http.get(PATH, params={"pipeline_id": name}, headers=mine)
            for name in ("secret", "missing", "\0")
        ]
        assert {answer.status_code for answer in answers} == {404}
        assert len({answer.json()["error"]["message"] for answer in answers}) == 1
        events = (await http.get(PATH, params={"cursor": "-1"}, headers=mine)).json()["events"]
        assert "secret" not in {event["pipeline_id"] for event in events}
        nothing = await http.get(PATH, headers=bearer("*", role=Role.PRODUCER))
        assert (nothing.status_code, error_of(nothing)) == (403, "forbidden")
        assert "role viewer" in nothing.json()["error"]["message"]


async def test_another_host_name_is_refused(http: AsyncClient) -> None:
    refused = await http.get(PATH, headers={"Host": "evil.example"})
    assert (refused.status_code, error_of(refused)) == (421, "host_not_allowed")
