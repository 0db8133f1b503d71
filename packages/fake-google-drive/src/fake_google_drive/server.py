"""The server of the double, on loopback."""

from __future__ import annotations

import asyncio
import socket
from types import TracebackType
from typing import Self

import uvicorn
from uvicorn.server import ServerState

from fake_google_drive.api.app import create_app
from fake_google_drive.api.connection import AbortableProtocol
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
        self._state = ServerState()
        self._server: asyncio.Server | None = None
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
            create_app(self.google), log_config=None, access_log=False, lifespan="off"
        )
        config.load()
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: AbortableProtocol(config, self._state, {}), sock=self._socket
        )
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
        server.close()
        await self._pusher.close()
        for connection in list(self._state.connections):
            connection.transport.abort()
        if tasks := set(self._state.tasks):
            await asyncio.wait(tasks, timeout=CLOSING_SECONDS)
        for task in tasks:
            task.cancel()
        await server.wait_closed()
