"""`fake-google-drive`, as a user starts it."""

from __future__ import annotations

import asyncio
import json
import shlex
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from google.oauth2 import service_account
from googleapiclient.discovery import build


@asynccontextmanager
async def started(folder: Path, data: Path) -> AsyncIterator[dict[str, str]]:
    """Run the command until the end of the block; yield the settings it prints."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "fake_google_drive", str(folder), "--port", "0"),
        *("--credentials", str(data / "credentials.json")),
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        settings = {}
        async with asyncio.timeout(60):
            while (line := (await process.stdout.readline()).decode()).startswith("export "):
                name, _, value = line.removeprefix("export ").partition("=")
                settings[name] = shlex.split(value)[0]
        yield settings
    finally:
        process.terminate()
        async with asyncio.timeout(20):
            assert await process.wait() == 0


def client(settings: dict[str, str]) -> Any:
    make: Any = service_account.Credentials.from_service_account_file
    scopes = ["https://www.googleapis.com/auth/drive.readonly"]
    return build(
        "drive",
        "v3",
        credentials=make(settings["GOOGLE_DRIVE_CREDENTIALS_JSON"], scopes=scopes),
        static_discovery=True,
        client_options={"api_endpoint": f"{settings['RAGLIVE_GOOGLE_API_URL']}/drive/v3/"},
    )


async def changed_names(drive: Any, token: str) -> list[str]:
    """Wait for a change, and return the names of the changed files."""
    async with asyncio.timeout(30):
        while True:
            found = await asyncio.to_thread(drive.changes().list(pageToken=token).execute)
            if found["changes"]:
                return [change["file"]["name"] for change in found["changes"]]


def private_key(credentials: Path) -> str:
    """Return the key in a file, which only its owner may read."""
    assert credentials.stat().st_mode & 0o777 == 0o600
    return str(json.loads(credentials.read_text("utf-8"))["private_key"])


async def test_a_folder_is_served_and_followed(tmp_path: Path) -> None:
    folder, data = tmp_path / "my files", tmp_path / "data"
    folder.mkdir()
    (folder / "a.txt").write_text("hello", "utf-8")
    async with started(folder, data) as settings:
        drive = client(settings)
        query = f"'{settings['RAG_WATCH_FOLDER_ID']}' in parents"
        files = (await asyncio.to_thread(drive.files().list(q=query).execute))["files"]
        assert [file["name"] for file in files] == ["a.txt"]
        start = await asyncio.to_thread(drive.changes().getStartPageToken().execute)
        (folder / "b.txt").write_text("new", "utf-8")
        assert await changed_names(drive, start["startPageToken"]) == ["b.txt"]
        media = drive.files().get_media(fileId=files[0]["id"])
        assert await asyncio.to_thread(media.execute) == b"hello"
    key = Path(settings["GOOGLE_DRIVE_CREDENTIALS_JSON"])
    old_key = private_key(key)
    async with started(folder, data) as again:
        assert private_key(key) == old_key
        assert again["RAG_WATCH_FOLDER_ID"] == settings["RAG_WATCH_FOLDER_ID"]
        files = (await asyncio.to_thread(client(again).files().list(q=query).execute))["files"]
        assert [file["name"] for file in files] == ["a.txt", "b.txt"]
