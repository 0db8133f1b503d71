"""Rights: connecting, viewing and publishing, expiry and refresh of tokens, and refusals."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import jwt
import pytest
import socketio

from raglive.http_api.tokens import Tokens
from raglive.status_server.timeouts import Timeouts
from raglive.store.log.event_log import EventLog
from raglive.store.pool import Database
from raglive_contract.permissions import Grant, Role
from raglive_contract.socket import AuthExpiring, Refused, StillSubscribed
from tests.integration.status_server.serving import (
    Serving,
    online,
    publish,
    serving,
    token,
    update,
)
from tests.integration.status_server.watching import Viewer, watching

OTHER_KEY = Tokens("another-secret-" * 3)
NO_RIGHTS = {"iss": "raglive", "sub": "x", "exp": int(time.time()) + 3600}


def signed(claims: dict[str, Any]) -> str:
    return jwt.encode(claims, "for-tests-only-" * 3, algorithm="HS256")


UNSIGNED = jwt.encode(NO_RIGHTS, "", algorithm="none")
REFUSED: dict[str, tuple[object, str]] = {
    "no auth": (None, "unauthenticated"),
    "no token": ({"token": None}, "unauthenticated"),
    "a number": ({"token": 7}, "unauthenticated"),
    "garbage": ({"token": "\0.\0.\0"}, "unauthenticated"),
    "too long": ({"token": "x" * 20_000}, "unauthenticated"),
    "another key": (
        {"token": OTHER_KEY.issue(Grant(Role.ADMIN, ("*",)), 60, "x")},
        "unauthenticated",
    ),
    "no algorithm": ({"token": UNSIGNED}, "unauthenticated"),
    "expired": ({"token": token(Role.ADMIN, ttl=-5)}, "token_expired"),
    "without rights": ({"token": signed(NO_RIGHTS)}, "forbidden"),
    "rights that users edit": (
        {
            "token": signed(
                NO_RIGHTS | {"user_metadata": {"raglive": {"role": "admin", "pipelines": ["*"]}}}
            )
        },
        "forbidden",
    ),
}


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_a_refused_connection_gets_the_reason(server: Serving, transport: str) -> None:
    for name, (auth, code) in REFUSED.items():
        viewer = Viewer(server.url)
        with pytest.raises(socketio.exceptions.ConnectionError):
            await viewer.connect(auth, [transport])
        await viewer.close()
        assert viewer.refusal, name
        assert viewer.refusal["data"]["error"]["code"] == code, name
        assert viewer.refusal["message"] == viewer.refusal["data"]["error"]["message"]
        assert not viewer.received


async def test_a_namespace_that_does_not_exist(server: Serving) -> None:
    for namespace in ("/s3", "/", "/local_files/x", "/" + "n" * 5000):
        viewer = Viewer(server.url, namespace)
        with pytest.raises(socketio.exceptions.ConnectionError):
            await viewer.connect({"token": token()})
        await viewer.close()
        assert viewer.refusal
        assert viewer.refusal["data"]["error"]["code"] == "not_found"


async def test_missing_and_forbidden_pipelines_look_alike(
    server: Serving, database: Database
) -> None:
    for name in ("mine", "theirs"):
        await publish(database, [online()], name)
    await publish(database, [online()], "drive", "google_drive")
    async with watching(server.url, pipelines=["mine", "drive", "missing"]) as viewer:
        statuses = await viewer.until(lambda: viewer.of("pipeline:status"))
        assert [one["pipeline_id"] for one in statuses] == ["mine"]
        assert [one["pipeline_id"] for one in await viewer.subscribe()] == ["mine"]
        messages = set()
        for name in ("theirs", "missing", "drive", "missing2"):
            answer = await viewer.ask("subscribe", {"pipeline_id": ["mine", name]})
            refusal = Refused.model_validate(answer).error
            assert refusal.code == "not_found"
            messages.add(refusal.message.replace(name, "NAME"))
        assert len(messages) == 1
        wrong = await viewer.ask("subscribe", {"pipeline_type": "google_drive"})
        assert wrong["error"]["code"] == "invalid_request"


async def test_roles(server: Serving, database: Database) -> None:
    await publish(database, [online()], "mine")
    event = update() | {"pipeline_id": "mine"}
    for role in Role:
        views = role in {Role.VIEWER, Role.OPERATOR, Role.ADMIN}
        publishes = role in {Role.PRODUCER, Role.ADMIN}
        async with watching(server.url, role=role, pipelines=["mi*"]) as viewer:
            subscribed = await viewer.ask("subscribe", {"pipeline_id": "mine"})
            assert subscribed["ok"] is views
            to_all = await viewer.ask("subscribe", {})
            assert (to_all["pipelines"] != []) if views else to_all["error"]["code"] == "forbidden"
            published = await viewer.ask("publish", {"events": [event]})
            assert published["ok"] is publishes
            elsewhere = event | {"pipeline_id": "theirs", "pipeline_type": "local_files"}
            for batch in ([elsewhere], [event, elsewhere]):
                refused = await viewer.ask("publish", {"events": batch})
                assert refused["error"]["code"] == "forbidden"
    assert [head.pipeline_id for head in await EventLog(database).heads()] == ["mine"]


async def test_expiry_is_announced_and_ends_the_connection(
    database: Database,
) -> None:
    await publish(database, [online()])
    async with (
        serving(database, timeouts=Timeouts(token_expiry_warning=1.5)) as server,
        watching(server.url, ttl=300) as lasting,
        watching(server.url, ttl=2) as ending,
    ):
        for viewer in (lasting, ending):
            await viewer.subscribe()
        [warning] = await ending.until(lambda: ending.of("auth:expiring"))
        expires_at = AuthExpiring.model_validate(warning).expires_at.timestamp()
        assert expires_at > time.time()
        assert not ending.closed.is_set()
        await ending.until(ending.closed.is_set)
        assert 0 <= time.time() - expires_at < 1
        await publish(database, [update()])
        await lasting.until(lasting.durable)
        assert not lasting.of("auth:expiring")
        assert not ending.durable()


async def test_a_refresh_extends_the_session_and_narrows_its_rights(database: Database) -> None:
    for name in ("one", "two"):
        await publish(database, [online()], name)
    async with (
        serving(database, timeouts=Timeouts(token_expiry_warning=1)) as server,
        watching(server.url, ttl=1.2) as viewer,
    ):
        await viewer.subscribe()
        await viewer.until(lambda: viewer.of("auth:expiring"))
        fresh = {"token": token(Role.VIEWER, "two", ttl=300)}
        answer = await viewer.ask("auth:refresh", fresh)
        assert StillSubscribed.model_validate(answer).pipelines == ["two"]
        for bad in ({"token": token(ttl=-5)}, {"token": "x"}, {}, None, {"token": 1}):
            assert not (await viewer.ask("auth:refresh", bad))["ok"]
        refused = await viewer.ask("subscribe", {"pipeline_id": "one"})
        assert refused["error"]["code"] == "not_found"
        old_token_ended = time.time() + 2
        await publish(database, [online()], "three")
        while time.time() < old_token_ended:
            viewer.received.clear()
            await publish(database, [update()], "one")
            await publish(database, [update()], "two")
            await viewer.until(viewer.durable)
            assert {event["pipeline_id"] for event in viewer.durable()} == {"two"}
        assert not viewer.closed.is_set()


async def test_rights_are_checked_when_a_pipeline_is_joined(
    server: Serving, database: Database
) -> None:
    """Over polling, a subscription and a narrower token can cross."""
    names = [f"pipeline-{number:03}" for number in range(60)]
    for name in names:
        await publish(database, [online()], name)
    async with watching(server.url, transports=["polling"]) as viewer:
        emit: Callable[..., Any] = viewer.socket.emit
        await emit("subscribe", {"cursor": "-1"}, namespace="/local_files")
        answer = await viewer.ask("auth:refresh", {"token": token(Role.VIEWER, names[0])})
        assert set(answer["pipelines"]) <= {names[0]}
        [one] = await viewer.subscribe()
        assert one["pipeline_id"] == names[0]
        await publish(database, [update()], names[-1])
        await publish(database, [update()], names[0])
        last = await viewer.until(
            lambda: [event for event in viewer.durable(names[0]) if event["seq"] == 2]
        )
        assert last
        assert [event["seq"] for event in viewer.durable(names[-1])] in ([], [1])
