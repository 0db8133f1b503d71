"""Fuzzing: every input gets a documented answer, and no connection leaks.

FUZZ_EXAMPLES sets the number of examples, and CONNECTIONS that of the leak test.
"""

from __future__ import annotations

import asyncio
import gc
import os
from collections import Counter
from typing import Any

import hypothesis
import orjson
import pytest
import websockets
from hypothesis import strategies as st

from raglive.status_server.subscriptions.rooms import Subscriber
from raglive.status_server.transport.engineio_server import EngineSession
from raglive.status_server.transport.outbound_queue import OutboundQueue
from raglive.store.pool import Database
from raglive_contract.errors import ErrorResponse
from raglive_contract.permissions import Role
from tests.integration.status_server.serving import (
    Serving,
    completed,
    online,
    processing,
    publish,
    token,
    update,
)

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "15"))
CONNECTIONS = int(os.environ.get("CONNECTIONS", "150"))
NAMESPACE = "/local_files"
SECONDS = 20
REQUESTS = ["subscribe", "unsubscribe", "ping", "client:status", "auth:refresh", "publish", "other"]

fuzz = hypothesis.settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    suppress_health_check=list(hypothesis.HealthCheck),
)
texts = st.text(st.characters(codec="utf-8") | st.sampled_from("\0\x1e\x7f\ufeff\U0010ffff"))
numbers = st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False)
scalars = st.none() | st.booleans() | numbers | texts
fields = st.sampled_from(["pipeline_id", "pipeline_type", "cursor", "batch", "token", "events"])
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(fields | texts, inner, max_size=5),
    max_leaves=20,
)
EVENTS = [online(), update(x=1), processing("a"), completed("a")]


@st.composite
def mutated_events(draw: st.DrawFn) -> dict[str, Any]:
    """An event with one field replaced by an arbitrary value."""
    event: dict[str, Any] = orjson.loads(orjson.dumps(draw(st.sampled_from(EVENTS))))
    event |= {"pipeline_id": "fuzz", "pipeline_type": "local_files"}
    place = event
    name = draw(st.sampled_from(sorted(place)))
    while isinstance(place[name], dict) and place[name] and draw(st.booleans()):
        place = place[name]
        name = draw(st.sampled_from(sorted(place)))
    place[name] = draw(values)
    return event


requests = st.tuples(
    st.sampled_from(REQUESTS),
    values | st.fixed_dictionaries({"events": st.lists(mutated_events(), max_size=3)}),
)
SPECIAL = [
    f'42{NAMESPACE},1["subscribe",{{"cursor":"\\ud800"}}]',
    f'42{NAMESPACE},1["publish",{{"events":[{"[" * 500}{"]" * 500}]}}]',
    f'42{NAMESPACE},1["publish",{{"events":[{{"attempt":1e999}}]}}]',
    f'42{NAMESPACE},1["publish",{{"events":[{{"attempt":{"9" * 400}}}]}}]',
    f'42{NAMESPACE},1["subscribe",{{"pipeline_id":"\\u0000"}}]',
    '42/nowhere,1["subscribe",{}]',
    f'451-{NAMESPACE},1["publish",{{"_placeholder":true,"num":0}}]',
    f'459-{NAMESPACE},1["publish"]',
    f'42{NAMESPACE},{"9" * 99}["ping"]',
]
packets = (
    requests.map(lambda one: f"42{NAMESPACE},1{orjson.dumps(list(one)).decode()}")
    | st.sampled_from(SPECIAL)
    | st.binary(max_size=50)
    | texts.map(lambda text: f"4{text}")
    | values.map(lambda value: f"40{NAMESPACE},{orjson.dumps(value).decode()}")
)


@fuzz
@hypothesis.given(sent=st.lists(packets, min_size=1, max_size=10))
async def test_garbage_over_socket_io(server: Serving, sent: list[str | bytes]) -> None:
    place = f"{server.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket"
    async with asyncio.timeout(SECONDS), websockets.connect(place, ping_interval=None) as socket:
        auth = orjson.dumps({"token": token(Role.ADMIN)}).decode()
        try:
            for packet in [f"40{NAMESPACE},{auth}", *sent]:
                await socket.send(packet)
            await socket.send(f'42{NAMESPACE},77["ping"]')
            while not str(packet := await socket.recv()).startswith(f"43{NAMESPACE},77["):
                assert "Traceback" not in str(packet)
                assert '"code":"internal"' not in str(packet)
        except websockets.ConnectionClosed:
            pass  # a malformed packet ends the connection
    async with asyncio.timeout(SECONDS):
        while server.status.components.sockets.eio.sockets:
            await asyncio.sleep(0.01)
    assert not server.status.components.sockets.environ
    assert not server.status.components.sockets._binary_packet
    assert not server.status.components.sockets._handshakes
    assert not len(server.status.components.rooms)


@fuzz
@hypothesis.given(data=values | st.fixed_dictionaries({"events": st.lists(mutated_events())}))
async def test_garbage_to_publish(server: Serving, data: object) -> None:
    async with server.client(Role.ADMIN) as client:
        answer = await client.post("/v1/events", content=orjson.dumps(data))
    assert answer.status_code in {200, 413, 422}, answer.text
    if answer.status_code != 200:
        ErrorResponse.model_validate(answer.json())


def alive() -> Counter[str]:
    """The objects that belong to connections, counted by type."""
    gc.collect()
    kinds = (EngineSession, Subscriber, OutboundQueue, websockets.ServerProtocol)
    return Counter(type(one).__name__ for one in gc.get_objects() if isinstance(one, kinds))


@pytest.mark.timeout(600)
async def test_connections_leak_nothing_however_they_end(
    server: Serving, database: Database
) -> None:
    """The connections end in different ways."""
    await publish(database, [online()])
    place = f"{server.url.replace('http', 'ws')}/socket.io/?EIO=4&transport=websocket"
    auth = f"40{NAMESPACE},{orjson.dumps({'token': token()}).decode()}"

    async def connect_and_leave(number: int) -> None:
        async with websockets.connect(place, ping_interval=None) as socket:
            for packet in (auth, f'42{NAMESPACE},1["subscribe"]')[: number % 3]:
                await socket.send(packet)
            if number % 2:
                socket.transport.abort()

    async with asyncio.timeout(500):
        await connect_and_leave(2)
        tasks = len(asyncio.all_tasks())
        for first in range(0, CONNECTIONS, 50):
            await asyncio.gather(
                *(connect_and_leave(number) for number in range(first, first + 50))
            )
        while server.status.components.sockets.eio.sockets or len(asyncio.all_tasks()) > tasks:
            await asyncio.sleep(0.02)
    assert not alive()
    assert not server.status.components.rooms._rooms
    assert not server.status.components.sockets.environ
    assert not server.status.components.sockets._handshakes
    assert not list(server.status.components.sockets.manager.get_namespaces())
