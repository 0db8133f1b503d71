"""The server of the double, on loopback."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Generator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import uvicorn

from fake_google_drive.api.app import create_app
from fake_google_drive.api.connection import Connections
from fake_google_drive.drive import FakeDrive
from fake_google_drive.google import FakeGoogle
from fake_google_drive.push import PushSender

__all__ = ["FakeDriveServer"]

HOST = "127.0.0.1"
CLOSING_SECONDS = 1.0


class FakeDriveServer:
    """Google's Drive v3 and token endpoints for a `FakeDrive`, on a loopback port.

    It answers at `url` within `async with`. `google` has quota, faults, credentials and the
    requests so far.
    """

    def __init__(
        self, drive: FakeDrive, *, port: int = 0, google: FakeGoogle | None = None
    ) -> None:
        self.drive = drive
        self.google = google or FakeGoogle(drive)
        self.fail = self.google.fail
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        self._port = port
        self._connections = Connections()
        self._server: _Server | None = None
        self._pusher = PushSender(self.google)

    @property
    def url(self) -> str:
        """The address that replaces `https://www.googleapis.com`."""
        return f"http://{HOST}:{self._port}"

    def credentials_json(self) -> str:
        """Return a service account's key file whose tokens come from this server."""
        return self.google.oauth.service_account(f"{self.url}/token")

    def user_credentials_json(self, user: str) -> str:
        """Return a user's credentials with a refresh token."""
        return self.google.oauth.authorized_user(user, f"{self.url}/token")

    def client_json(self) -> str:
        """Return a desktop app's client file; `google.oauth.consents.user` consents to it."""
        auth_uri = f"{self.url}/o/oauth2/v2/auth"
        return self.google.oauth.desktop_client(auth_uri, f"{self.url}/token")

    async def __aenter__(self) -> Self:
        """Start to serve. Raises `OSError` if the port is in use."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((HOST, self._port))
        self._port = self._socket.getsockname()[1]
        config = uvicorn.Config(
            self._connections.application(create_app(self.google)),
            http="httptools",
            interface="asgi3",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            lifespan="off",
        )
        config.load()
        config.http_protocol_class = self._connections.protocol(config.http_protocol_class)
        self._server = _Server(config)
        await self._server.start(self._socket)
        self._pusher.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop at once, and abort open requests."""
        await self.close()

    async def close(self) -> None:
        """Stop at once, and abort open requests; idempotent."""
        server, self._server = self._server, None
        if server is None:
            self._socket.close()
            return
        for listener in server.servers:
            listener.close()
        await self._pusher.close()
        self._connections.abort()
        await server.end()


class _Server(uvicorn.Server):
    """uvicorn as a task: it handles no signals, and ends without waiting for its next tick."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self._is_up = asyncio.Event()
        self._serving: asyncio.Task[None] | None = None

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._is_up.set()

    async def start(self, listening: socket.socket) -> None:
        """Return when connections are accepted. Raises what prevents that."""
        self._serving = asyncio.create_task(self.serve([listening]), name="fake-drive-http")
        is_up = asyncio.create_task(self._is_up.wait())
        await asyncio.wait({self._serving, is_up}, return_when=asyncio.FIRST_COMPLETED)
        if not is_up.done():
            is_up.cancel()
            await self._serving

    async def end(self) -> None:
        """Let requests end whose connections were aborted, and stop."""
        if tasks := set(self.server_state.tasks):
            await asyncio.wait(tasks, timeout=CLOSING_SECONDS)
        for task in tasks:
            task.cancel()
        if self._serving is not None:
            self._serving.cancel()
            await asyncio.gather(self._serving, return_exceptions=True)
        for listener in self.servers:
            await listener.wait_closed()
