"""A fake Drive over HTTP, and clients of two users."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from google.oauth2 import service_account
from googleapiclient.discovery import build

from fake_google_drive import FakeDrive, FakeDriveServer

ANN, BOB = "ann@example.com", "bob@example.com"
ALL_DRIVES = {"supportsAllDrives": "true", "includeItemsFromAllDrives": "true"}


@pytest.fixture
def drive() -> FakeDrive:
    """A Drive of two users."""
    drive = FakeDrive()
    drive.my_drive(ANN)
    drive.my_drive(BOB)
    return drive


@pytest.fixture
async def server(drive: FakeDrive) -> AsyncIterator[FakeDriveServer]:
    """The Drive, served."""
    async with FakeDriveServer(drive) as server:
        yield server


class Asker:
    """A user who sends HTTP requests without Google's library."""

    def __init__(self, server: FakeDriveServer, user: str) -> None:
        token = server.google.oauth.access_token(user)
        self.http = httpx.AsyncClient(
            base_url=f"{server.url}/drive/v3/",
            headers={"Authorization": f"Bearer {token}"},
            timeout=10,
        )

    async def get(self, path: str, **parameters: Any) -> dict[str, Any]:
        """Return the JSON of an answer; its status must be 200."""
        answer = await self.http.get(path, params=parameters)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def refused(self, path: str, **parameters: Any) -> tuple[int, str]:
        """Return status and reason of an answer that must be a refusal."""
        answer = await self.http.get(path, params=parameters)
        error = answer.json()["error"]
        assert error["code"] == answer.status_code
        assert error["errors"][0]["domain"] in {"global", "usageLimits"}
        return answer.status_code, error["errors"][0]["reason"]

    async def names(self, **parameters: Any) -> list[str]:
        """Return the names of a listing, all pages."""
        found: list[str] = []
        while True:
            page = await self.get("files", **parameters)
            found += [file["name"] for file in page["files"]]
            if "nextPageToken" not in page:
                return found
            parameters["pageToken"] = page["nextPageToken"]


@pytest.fixture
async def ann(server: FakeDriveServer) -> AsyncIterator[Asker]:
    """Ann's requests."""
    asker = Asker(server, ANN)
    async with asker.http:
        yield asker


@pytest.fixture
async def bob(server: FakeDriveServer) -> AsyncIterator[Asker]:
    """Bob's requests."""
    asker = Asker(server, BOB)
    async with asker.http:
        yield asker


def google_client(server: FakeDriveServer, user: str | None, *, writes: bool = False) -> Any:
    """Return Google's own client; use it in a thread because it blocks."""
    make: Any = service_account.Credentials.from_service_account_info
    credentials = make(
        json.loads(server.credentials_json()),
        scopes=[f"https://www.googleapis.com/auth/drive{'' if writes else '.readonly'}"],
        subject=user,
    )
    return build(
        "drive",
        "v3",
        credentials=credentials,
        static_discovery=True,
        client_options={"api_endpoint": f"{server.url}/drive/v3/"},
    )
