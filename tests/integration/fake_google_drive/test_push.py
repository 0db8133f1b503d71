"""Push messages, as they arrive."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from fake_google_drive import FakeDrive
from tests.integration.fake_google_drive.conftest import ANN, Asker


class Receiver:
    """A web hook that records its messages."""

    def __init__(self) -> None:
        self.came: asyncio.Queue[tuple[dict[str, str], bytes]] = asyncio.Queue()
        self.statuses = [200]
        self.address = ""

    async def take(self, request: Request) -> Response:
        self.came.put_nowait((dict(request.headers), await request.body()))
        return Response(status_code=self.statuses.pop(0) if len(self.statuses) > 1 else 200)

    async def next(self) -> tuple[dict[str, str], bytes]:
        async with asyncio.timeout(5):
            return await self.came.get()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = Starlette(routes=[Route("/hook", receiver.take, methods=["POST"])])
    config = uvicorn.Config(app, port=0, log_config=None, lifespan="off")
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    port = server.servers[0].sockets[0].getsockname()[1]
    receiver.address = f"http://127.0.0.1:{port}/hook"
    try:
        yield receiver
    finally:
        await server.shutdown()


async def watch(ann: Asker, receiver: Receiver, **more: Any) -> dict[str, Any]:
    """Open a channel."""
    token = (await ann.get("changes/startPageToken"))["startPageToken"]
    wanted = {"id": "one", "type": "web_hook", "address": receiver.address, "token": "t", **more}
    answer = await ann.http.post("changes/watch", params={"pageToken": token}, json=wanted)
    found: dict[str, Any] = answer.json()
    return found


async def test_a_channel_reports_changes_until_it_is_stopped(
    drive: FakeDrive, ann: Asker, receiver: Receiver
) -> None:
    channel = await watch(ann, receiver)
    headers, body = await receiver.next()
    assert body == b""
    assert headers["x-goog-resource-state"] == "sync"
    assert headers["x-goog-channel-id"] == "one"
    assert headers["x-goog-channel-token"] == "t"
    assert headers["x-goog-resource-id"] == channel["resourceId"]
    assert headers["x-goog-message-number"] == "1"
    assert headers["x-goog-channel-expiration"].endswith(" GMT")

    drive.create("a", drive.my_drive(ANN))
    headers, body = await receiver.next()
    assert (headers["x-goog-resource-state"], body) == ("change", b'{"kind":"drive#changes"}')
    assert headers["x-goog-message-number"] == "2"

    wrong = await ann.http.post("channels/stop", json={"id": "one", "resourceId": "other"})
    assert wrong.status_code == 404
    assert (await ann.http.post("channels/stop", json=channel)).status_code == 204
    drive.create("b", drive.my_drive(ANN))
    await watch(ann, receiver, id="two")
    headers, _ = await receiver.next()
    assert headers["x-goog-channel-id"] == "two"


async def test_a_refused_message_is_sent_again(
    drive: FakeDrive, ann: Asker, receiver: Receiver
) -> None:
    receiver.statuses = [503, 200]
    await watch(ann, receiver)
    first, second = await receiver.next(), await receiver.next()
    assert first[0]["x-goog-message-number"] == second[0]["x-goog-message-number"] == "1"


async def test_channels_end(ann: Asker, receiver: Receiver) -> None:
    now = time.time() * 1000
    hour, week = 3_600_000, 7 * 24 * 3_600_000
    assert abs(int((await watch(ann, receiver))["expiration"]) - now - hour) < 60_000
    far = await watch(ann, receiver, id="two", expiration=str(int(now + 2 * week)))
    assert abs(int(far["expiration"]) - now - week) < 60_000
    past = await watch(ann, receiver, id="three", expiration=1)
    assert past["error"]["errors"][0]["location"] == "expiration"
    again = await watch(ann, receiver)
    assert again["error"]["errors"][0]["reason"] == "channelIdNotUnique"
