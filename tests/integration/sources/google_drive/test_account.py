"""A history written by Google's own client, which the index follows.

By default in the double. `make test-google` runs it in a real account, with two variables:
RAGLIVE_TEST_GOOGLE_KEY, the path of a service account's key, and RAGLIVE_TEST_GOOGLE_FOLDER, a
folder of a shared drive that it may edit.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from google.oauth2 import service_account
from googleapiclient.discovery import build_from_document
from googleapiclient.http import MediaInMemoryUpload

from fake_google_drive.oauth import SERVICE_ACCOUNT
from fake_google_drive.server import FakeDriveServer
from raglive.sources.google_drive.client import open_drive
from raglive.sources.google_drive.credentials import read_credentials
from raglive.sources.google_drive.transport import GOOGLE
from raglive.sources.google_drive.watcher import GoogleDriveWatcher
from raglive.store.registry.pipelines import PipelineRecord
from tests.integration.fake_google_drive.discovery import document
from tests.integration.sources.google_drive.drives import indexed

KEY, FOLDER = "RAGLIVE_TEST_GOOGLE_KEY", "RAGLIVE_TEST_GOOGLE_FOLDER"
LAG_SECONDS = 120.0  # of Google's change logs
_FOLDER_TYPE = "application/vnd.google-apps.folder"
_DOCUMENT_TYPE = "application/vnd.google-apps.document"


class Account:
    """A folder of its own in a drive, changed by Google's client, and what is in it."""

    def __init__(self, key: str, url: str, parent: str) -> None:
        make: Any = service_account.Credentials.from_service_account_info
        scopes = ["https://www.googleapis.com/auth/drive"]
        drive = build_from_document(
            # as text, because the client changes an object that it is given
            json.dumps({**document(), "rootUrl": f"{url}/", "baseUrl": f"{url}/drive/v3/"}),
            credentials=make(json.loads(key), scopes=scopes),
        )
        self.key, self.url = key, url
        self.expected: dict[str, tuple[str, str]] = {}
        self._files, self.permissions = drive.files(), drive.permissions()
        self.root = self._create({"name": "raglive test", "parents": [parent]}, _FOLDER_TYPE)

    def folder(self, name: str, parent: str) -> str:
        return self._create({"name": name, "parents": [parent]}, _FOLDER_TYPE)

    def file(self, name: str, parent: str, kind: str = "text/plain") -> str:
        media = MediaInMemoryUpload(b"some text", "text/plain")
        return self._create({"name": name, "parents": [parent]}, kind, media)

    def update(self, item: str, body: dict[str, Any], **options: Any) -> None:
        self._files.update(fileId=item, body=body, supportsAllDrives=True, **options).execute()

    def copy(self, item: str, name: str) -> str:
        request = self._files.copy(fileId=item, body={"name": name}, supportsAllDrives=True)
        return str(request.execute()["id"])

    def delete(self, item: str) -> None:
        self._files.delete(fileId=item, supportsAllDrives=True).execute()

    def _create(self, body: dict[str, Any], kind: str, media: Any = None) -> str:
        request = self._files.create(
            body=body | {"mimeType": kind}, media_body=media, supportsAllDrives=True
        )
        return str(request.execute()["id"])


@pytest.fixture
async def account(server: FakeDriveServer) -> AsyncIterator[Account]:
    path, folder = os.environ.get(KEY), os.environ.get(FOLDER)
    if path and folder:
        account = await asyncio.to_thread(Account, Path(path).read_text("utf-8"), GOOGLE, folder)
    else:
        shared = server.drive.shared_drive("Shared", [SERVICE_ACCOUNT])
        account = await asyncio.to_thread(Account, server.credentials_json(), server.url, shared.id)
    yield account
    await asyncio.to_thread(account.delete, account.root)


def _first(account: Account) -> dict[str, str]:
    one, two = account.folder("one", account.root), account.folder("two", account.root)
    files = {name: account.file(name, one) for name in ("kept.txt", "moved.txt", "trashed.txt")}
    files["Plan"] = account.file("Plan", one, _DOCUMENT_TYPE)
    account.expected = {item: ("one", name) for name, item in files.items()}
    return files | {"one": one, "two": two}


def _then(account: Account, known: dict[str, str]) -> None:
    moved, one, two = known["moved.txt"], known["one"], known["two"]
    account.update(moved, {"name": "renamed.txt"}, addParents=two, removeParents=one)
    account.update(known["trashed.txt"], {"trashed": True})
    account.update(two, {"name": "second"})
    account.update(
        known["kept.txt"], {}, media_body=MediaInMemoryUpload(b"other text", "text/plain")
    )
    copied = account.copy(known["kept.txt"], "copied.txt")
    account.delete(known["Plan"])
    account.expected = {
        known["kept.txt"]: ("one", "kept.txt"),
        copied: ("one", "copied.txt"),
        moved: ("second", "renamed.txt"),
    }


async def _follow(account: Account, watcher: GoogleDriveWatcher, record: PipelineRecord) -> None:
    """Check until the index is as expected; Google's answers lag behind its writes."""
    end = time.monotonic() + LAG_SECONDS
    while True:
        await watcher.check()
        found = await indexed(record)
        if found == account.expected or account.url != GOOGLE or time.monotonic() > end:
            assert found == account.expected
            return
        await asyncio.sleep(2)


async def test_the_index_follows_what_googles_client_writes(
    account: Account, record: PipelineRecord
) -> None:
    known = await asyncio.to_thread(_first, account)
    async with open_drive(read_credentials(account.key), account.url) as client:
        watcher = GoogleDriveWatcher(
            record, client, [account.root], check_interval_seconds=60, on_queued=lambda: None
        )
        await _follow(account, watcher, record)
        await asyncio.to_thread(_then, account, known)
        await _follow(account, watcher, record)
