"""Redaction is the same over Socket.IO, HTTP and polling."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import pytest

from raglive.status_server.subscriptions.messages import Message
from raglive.store.pool import Database
from raglive_contract.permissions import Grant, Role
from raglive_contract.redaction import WITHHELD
from tests.integration.dashboard.serving import opened
from tests.integration.status_server.serving import (
    TOKENS,
    Serving,
    completed,
    now,
    online,
    processing,
    progress,
    publish,
    token,
    update,
)
from tests.integration.status_server.watching import Viewer, checker_of, watching

SECRET = "offer-to-dr-who"
PIPELINE = "local-files-pipeline"
HEADERS = {"Authorization": f"Bearer {token(redact=True)}"}


def failed(file_id: str) -> dict[str, Any]:
    file = {"id": file_id, "name": f"{file_id}.pdf", "folder": "/secret", "failed_at": now()}
    base = {"type": "E", "code": "extraction_error", "message": f"bad {file_id}"}
    event = completed(file_id) | {"type": "file:failed", "file": file, "success": False}
    del event["results"]
    return event | {"error": base | {"retryable": False}}


EVENTS = [
    processing(SECRET),
    completed(SECRET),
    processing(f"{SECRET}-2"),
    failed(f"{SECRET}-2"),
    update(problem={"code": "bad", "message": f"cannot read {SECRET}", "since": now()}),
]


async def test_live_and_replayed_events_are_masked_and_the_digest_is_the_same(
    server: Serving, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    masks: list[tuple[str, str]] = []
    mask = Message.masked

    def counted(message: Message, by: Any) -> Message:
        if message._masked is None:
            masks.append((message.type, message.event_id))
        return mask(message, by)

    monkeypatch.setattr(Message, "masked", counted)
    await publish(database, [online()])
    async with (
        watching(server.url) as whole,
        watching(server.url, redact=True) as one,
        watching(server.url, redact=True) as batched,
    ):
        checkers = [
            checker_of((await viewer.subscribe(batch=viewer is batched))[0])
            for viewer in (whole, one, batched)
        ]
        await publish(database, EVENTS)
        async with server.client(Role.PRODUCER) as client:
            live = progress(SECRET, 0.5, attempt=2) | {"pipeline_id": PIPELINE}
            assert (await client.post("/v1/events", json={"events": [live]})).is_success
        for viewer, checker in zip((whole, one, batched), checkers, strict=True):
            await viewer.until(partial(viewer.of, "file:progress"))
            await viewer.until(partial(_has_all, viewer))
            for event in viewer.durable():
                checker.see(event)
        assert len({(checker.seq, checker.digest) for checker in checkers}) == 1
        assert SECRET in str(whole.received)
        assert SECRET not in str(one.received) + str(batched.received)
        assert one.durable() == batched.durable()
        assert len(masks) == len(set(masks)), "once for the class"
        assert sum(kind != "pipeline:summary" for kind, _ in masks) == len(EVENTS) + 1
        [failure] = one.of("file:failed")
        assert failure["error"] == {
            "type": "extraction_error",
            "code": "extraction_error",
            "message": WITHHELD,
            "retryable": False,
        }
        masked = {event["file"]["id"] for event in one.of("file:processing", "file:completed")}
        assert len(masked) == 2
    async with watching(server.url, redact=True) as returning:
        [answer] = await returning.subscribe(cursor="-1")
        assert answer["replayed"] == len(EVENTS) + 1
        assert SECRET not in str(returning.received)
        assert "watch_location" not in answer["snapshot"]
        assert answer["snapshot"]["problem"]["message"] == WITHHELD
        assert answer["digest"] == checkers[0].digest.hex()


async def test_a_new_token_changes_the_redaction(server: Serving, database: Database) -> None:
    await publish(database, [online()])
    async with watching(server.url) as viewer:
        await viewer.subscribe()
        assert (await viewer.ask("auth:refresh", {"token": token(redact=True)}))["ok"]
        await publish(database, [processing(SECRET)])
        [event] = await viewer.until(lambda: viewer.of("file:processing"))
        assert SECRET not in str(event)
        assert (await viewer.ask("auth:refresh", {"token": token()}))["ok"]
        await publish(database, [completed(SECRET)])
        [event] = await viewer.until(lambda: viewer.of("file:completed"))
        assert event["file"]["id"] == SECRET


PATHS = ["", "/{p}", "/{p}/files", "/{p}/events", "/{p}/failures", "/{p}/throughput"]
WITHHELD_PATHS = [
    f"/{{p}}/files/{SECRET}",
    f"/{{p}}/chunks?file_id={SECRET}",
    f"/{{p}}/files?q={SECRET}",
    "/{p}/files?sort=name",
    f"/{{p}}/events?file_id={SECRET}",
]


async def test_http_redacts_the_same(server: Serving, database: Database) -> None:
    await publish(database, [online(), *EVENTS])
    async with (
        opened(database, signed_in=False) as dashboard,
        server.client() as status_server,
    ):
        for http, root in ((dashboard, "/api/pipelines"), (status_server, "/v1/pipelines")):
            for path in PATHS:
                address = root + path.format(p=PIPELINE)
                answer = await http.get(address, headers=HEADERS)
                assert answer.is_success, answer.text
                assert SECRET not in answer.text, address
                assert "/secret" not in answer.text, address
            for path in WITHHELD_PATHS:
                answer = await http.get(root + path.format(p=PIPELINE), headers=HEADERS)
                assert answer.json()["error"]["code"] == "forbidden", path
                assert (
                    await http.get(root + path.format(p="x"), headers=HEADERS)
                ).status_code == 404
        for http, path in ((dashboard, "/api/search"), (status_server, "/v1/search")):
            answer = await http.get(path, params={"q": "offer"}, headers=HEADERS)
            assert answer.json()["error"]["code"] == "forbidden"
        status = await status_server.get("/status", headers=HEADERS)
        assert SECRET not in status.text
        whole = {"Authorization": f"Bearer {token()}"}
        for path in ("/api/rag-status", "/api/rag-status?cursor=-1"):
            full = await dashboard.get(path, headers=whole)
            masked = await dashboard.get(path, headers=HEADERS)
            assert SECRET in full.text
            assert SECRET not in masked.text
            assert full.headers["ETag"] != masked.headers["ETag"]
            assert masked.json()["next_cursor"] == full.json()["next_cursor"]
        session = (await dashboard.get("/api/session", headers=HEADERS)).json()
        assert session["redacted"] is True
        assert (await TOKENS.verify(session["token"])).grant == Grant(Role.VIEWER, ("*",), True)
        live = await dashboard.get("/api/rag-status?cursor=-1", headers=HEADERS)
        async with watching(server.url, redact=True) as viewer:
            await viewer.subscribe(cursor="-1")
            assert json.dumps(viewer.durable()) == json.dumps(live.json()["events"])


def _has_all(viewer: Viewer) -> bool:
    return len(viewer.durable()) == len(EVENTS)
