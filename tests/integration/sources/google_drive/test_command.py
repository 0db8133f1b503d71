"""`raglive pipeline google-drive` as started by cron: exit codes, and no secret in its output."""

from __future__ import annotations

import asyncio
import json
import os
import sys

import pytest

from fake_google_drive.drive import FakeDrive
from fake_google_drive.faults import FaultKind
from fake_google_drive.items import Item
from fake_google_drive.server import FakeDriveServer
from raglive.store.pool import Database
from tests.integration.sources.google_drive.drives import USER

_TABLES = """
SELECT table_name FROM information_schema.tables
WHERE table_schema = 'raglive' AND table_type = 'BASE TABLE'
"""


@pytest.fixture
def root(drive: FakeDrive) -> Item:
    root = drive.create_folder("root", drive.my_drive(USER))
    drive.create("kept.txt", root, b"kept")
    return root


class Command:
    """The command on one database; its output, and the secrets that it must not contain."""

    def __init__(self, server: FakeDriveServer, root: Item, dsn: str) -> None:
        self.output = ""
        self.secrets = _secrets(server.credentials_json())
        self._environment = {
            **os.environ,
            "DATABASE_URL": dsn,
            "RUN_MODE": "single",
            "RAGLIVE_LOG_LEVEL": "debug",
            "RAG_WATCH_FOLDER_ID": root.id,
            "GOOGLE_DRIVE_CREDENTIALS_JSON": server.credentials_json(),
            "RAGLIVE_GOOGLE_API_URL": server.url,
        }

    async def run(self, **settings: str) -> int | None:
        """Return the exit status."""
        given = settings.get("GOOGLE_DRIVE_CREDENTIALS_JSON")
        if given:
            self.secrets |= _secrets(given)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "raglive", "pipeline", "google-drive"),
            env=self._environment | settings,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(90):
            output, _ = await process.communicate()
        self.output += output.decode()
        return process.returncode


def _secrets(credentials: str) -> set[str]:
    try:
        key = json.loads(credentials)
    except ValueError:
        return {credentials}
    lines = key.get("private_key", "").splitlines()[1:-1]
    return {*lines, key.get("refresh_token", ""), key.get("client_secret", "")} - {""}


@pytest.mark.timeout(300)
async def test_exit_statuses_are_distinct_and_no_secret_is_printed(
    server: FakeDriveServer, root: Item, dsn: str, database: Database
) -> None:
    command = Command(server, root, dsn)
    user = server.user_credentials_json(USER)
    assert await command.run(GOOGLE_DRIVE_CREDENTIALS_JSON=user) == 0

    again, settings, credentials = 1, 2, 3
    forged = json.loads(server.credentials_json()) | {"private_key": "-----BEGIN\nnot-a-key\nEND"}
    nowhere = f"{root.id},1nowhere"
    assert await command.run(RAG_WATCH_FOLDER_ID=nowhere) == settings
    assert await command.run(GOOGLE_DRIVE_CREDENTIALS_JSON=json.dumps(forged)) == credentials
    for status, method, kind in (
        (again, "files.list", FaultKind.INCOMPLETE_SEARCH),
        (credentials, "token", FaultKind.INVALID_GRANT),
        (credentials, "files.get", FaultKind.DOMAIN_POLICY),
    ):
        server.fail(method, kind, times=None)
        assert await command.run(RAGLIVE_GOOGLE_FULL_LISTING_SECONDS="0.001") == status, kind
        server.google.faults.clear()

    assert (
        await database.fetchval("SELECT string_agg(state, ',') FROM raglive.files") == "completed"
    )
    problem = await database.fetchval("SELECT problem ->> 'code' FROM raglive.heads")
    assert problem == "drive_disabled"
    output = command.output + await _all_rows(database)
    assert "kept.txt" in output
    for secret in (*command.secrets, "ya29.", "Bearer ", "eyJ"):
        assert secret not in output


async def _all_rows(database: Database) -> str:
    tables = [row[0] for row in await database.fetch(_TABLES)]
    rows = [await database.fetch(f"SELECT one::text FROM raglive.{name} one") for name in tables]
    return "\n".join(row[0] for found in rows for row in found)
