"""Push messages wake the watcher, but only authentic ones."""

from __future__ import annotations

import asyncio

import uvicorn
from starlette.applications import Starlette

from fake_google_drive.drive import FakeDrive
from fake_google_drive.server import FakeDriveServer
from raglive.app.sources import push_route
from raglive.sources.google_drive.client import DriveClient
from raglive.sources.google_drive.push_channels import PushChannels
from tests.integration.sources.google_drive.drives import USER


async def test_a_change_wakes_and_channels_are_closed(
    drive: FakeDrive, server: FakeDriveServer, client: DriveClient
) -> None:
    woken = asyncio.Event()
    app = Starlette()
    config = uvicorn.Config(app, port=0, log_config=None, lifespan="off")
    receiver = uvicorn.Server(config)
    config.load()
    receiver.lifespan = config.lifespan_class(config)
    await receiver.startup()
    port = receiver.servers[0].sockets[0].getsockname()[1]
    channels = PushChannels(
        client, f"http://127.0.0.1:{port}/google-drive/push", lambda: {""}, woken.set
    )
    app.routes.append(push_route(channels))
    keeping = asyncio.create_task(channels.run())
    try:
        corpus = ("user", USER)
        async with asyncio.timeout(20):
            while not (found := server.google.channels.of(corpus)):
                await asyncio.sleep(0.01)
            drive.create("new.txt", drive.my_drive(USER), b"new")
            await woken.wait()
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        await receiver.shutdown()
    assert server.google.channels.of(corpus) == []

    forged = found[0].headers("change")
    assert not channels.handle({name.lower(): value for name, value in forged.items()})
    assert not channels.handle({})
