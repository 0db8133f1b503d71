"""Valid and invalid requests: each gets an answer, and none crashes the server."""

from __future__ import annotations

import time
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raglive.status_server.transport.strict_parsing import MAX_ATTACHMENTS
from raglive.store.log.event_log import EventLog
from raglive.store.pool import Database
from raglive_contract.permissions import Role
from raglive_contract.socket import PublishAck, Refused
from tests.integration.status_server.serving import Serving, online, update
from tests.integration.status_server.watching import watching

PIPELINE = "local-files-pipeline"
NAMESPACE = "/local_files"


async def test_ping_and_client_status(server: Serving) -> None:
    async with watching(server.url) as viewer:
        now_ms = await viewer.ask("ping", 1)
        assert abs(now_ms / 1000 - time.time()) < 5
        status = {"client_id": "tab", "status": "idle", "timestamp": "2026-01-02T03:04:05Z"}
        assert await viewer.ask("client:status", status | {"extra": 1}) == {"ok": True}
        assert not (await viewer.ask("client:status", status | {"status": "asleep"}))["ok"]


WRONG: list[Any] = [
    "all",
    7,
    [],
    {"pipeline_id": 7},
    {"pipeline_id": []},
    {"pipeline_id": ["x"] * 1001},
    {"pipeline_id": "../x"},
    {"pipeline_id": "x\0"},
    {"pipeline_type": {}},
    {"cursor": 1},
    {"batch": "perhaps"},
    {"unknown": 1},
    {"pipeline_id": b"\xff"},
]


@pytest.mark.parametrize("transport", ["websocket", "polling"])
async def test_wrong_requests_are_refused_with_a_reason(server: Serving, transport: str) -> None:
    wrong: list[tuple[str, Any]] = [("subscribe", data) for data in WRONG]
    wrong += [("unsubscribe", "x"), ("auth:refresh", None), ("client:status", [1]), ("publish", 3)]
    wrong += [
        ("Subscribe", {}),
        ("", None),
        ("on_connect", 1),
        ("trigger_event", 1),
        ("e" * 9999, 1),
    ]
    async with watching(server.url, transports=[transport], role=Role.ADMIN) as viewer:
        for request, data in wrong:
            refusal = Refused.model_validate(await viewer.ask(request, data)).error
            assert refusal.code in {"invalid_request", "invalid_event"}, (request, data)
            assert len(refusal.message) < 300
        assert await viewer.subscribe() == []


async def test_further_arguments_are_ignored(server: Serving) -> None:
    async with watching(server.url) as viewer:
        assert (await viewer.ask("subscribe", ({}, "more", {"cursor": 1})))["ok"]


async def test_publishing_over_the_socket(server: Serving, database: Database) -> None:
    async with watching(server.url, role=Role.PRODUCER) as producer, watching(server.url) as viewer:
        events = [
            event | {"pipeline_id": PIPELINE, "pipeline_type": "local_files"}
            for event in (online(), update())
        ]
        first = PublishAck.model_validate(await producer.ask("publish", {"events": events}))
        again = PublishAck.model_validate(await producer.ask("publish", {"events": events}))
        assert (first.accepted, first.duplicates) == (2, 0)
        assert (again.accepted, again.duplicates) == (0, 2)
        [head] = await EventLog(database).heads()
        assert first.cursor == again.cursor == str(head.position)
        [answer] = await viewer.subscribe(cursor="-1")
        assert answer["replayed"] == 2


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=30)
    | st.binary(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner, max_size=4)
    ),
    max_leaves=12,
)
FIELDS = ["pipeline_id", "pipeline_type", "cursor", "batch", "client_info", "token", "events"]
REQUESTS = ["subscribe", "unsubscribe", "ping", "client:status", "auth:refresh", "publish", "other"]


async def test_arbitrary_data_is_answered(server: Serving, database: Database) -> None:
    """All requests use one connection, which stays open."""
    requests: list[tuple[str, Any]] = []

    @settings(max_examples=150, database=None)
    @given(st.sampled_from(REQUESTS), JSON | st.dictionaries(st.sampled_from(FIELDS), JSON))
    def collect(request: str, data: Any) -> None:
        requests.append((request, data))

    collect()
    async with watching(server.url, role=Role.ADMIN) as viewer:
        for request, data in requests:
            binaries: list[object] = []
            try:
                orjson.dumps(data, default=binaries.append)
            except TypeError:
                continue  # a number or text that no JSON holds; raw packets are tested above
            if len(binaries) > MAX_ATTACHMENTS:
                continue  # such a packet ends the connection
            answer = await viewer.ask(request, data)
            assert request == "ping" or isinstance(answer["ok"], bool)
            assert "Traceback" not in str(answer)
        assert not viewer.closed.is_set()
    assert await EventLog(database).heads() == []
