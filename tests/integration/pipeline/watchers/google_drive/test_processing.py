"""The whole pipeline, once through a drive: what is read, what is skipped, what fails and how."""

from __future__ import annotations

import asyncio
import json

import pytest

from raglive.app.google_drive import run_google_drive
from raglive.app.wiring import Wiring
from raglive.contract.errors import RagliveError
from raglive.database.pool import Database
from raglive.fake_drive.drive import FakeDrive
from raglive.fake_drive.faults import FaultKind
from raglive.fake_drive.items import Item
from raglive.fake_drive.mime import DOCUMENT
from raglive.fake_drive.server import FakeDriveServer
from raglive.settings import read_settings
from tests.integration.pipeline.watchers.google_drive.drives import USER

MARKDOWN = "text/markdown"
FORM = "application/vnd.google-apps.form"
_STATES = """
SELECT name, coalesce(error ->> 'code', reason ->> 'code', state) FROM raglive.files
WHERE state <> 'deleted'
"""


@pytest.fixture
def root(drive: FakeDrive) -> Item:
    return drive.create_folder("root", drive.my_drive(USER))


async def _run_once(server: FakeDriveServer, root: Item, dsn: str, **settings: str) -> None:
    environment = {
        "RUN_MODE": "single",
        "RAG_WATCH_FOLDER_ID": root.id,
        "GOOGLE_DRIVE_CREDENTIALS_JSON": server.credentials_json(),
        "RAGLIVE_GOOGLE_API_URL": server.url,
        "RAGLIVE_WORKERS": "1",
        "RAGLIVE_MAX_ATTEMPTS": "1",
        **settings,
    }
    never: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    wiring = Wiring(read_settings(environment), dsn, "s" * 40)
    await run_google_drive(wiring, never)


async def _states(database: Database) -> dict[str, str]:
    return {row[0]: row[1] for row in await database.fetch(_STATES)}


async def test_every_kind_of_file_ends_as_it_should(
    drive: FakeDrive, server: FakeDriveServer, root: Item, dsn: str, database: Database
) -> None:
    drive.create("plain.txt", root, b"Words that can be found.")
    drive.create_native("Plan", root, DOCUMENT, {MARKDOWN: "# Plan\n\nWe shall see."})
    drive.create_native("Survey", root, FORM, {})
    withheld = drive.create("secret.txt", root, b"not for you")
    drive.set_downloadable(withheld, False)
    drive.flag_as_abusive(drive.create("virus.txt", root, b"bad"))
    drive.create("big.txt", root, b"x" * 3000)
    spoilt = drive.create("spoilt.txt", root, b"Bytes that are changed on the way.")
    cut = drive.create("cut.txt", root, b"Bytes that do not all come.")
    server.fail("files.getMedia", FaultKind.CORRUPTED, file_id=spoilt.id)
    server.fail("files.getMedia", FaultKind.TRUNCATED, file_id=cut.id)

    await _run_once(server, root, dsn, RAGLIVE_MAX_FILE_BYTES="2000")

    assert await _states(database) == {
        "plain.txt": "completed",
        "Plan": "completed",
        "Survey": "unsupported",
        "secret.txt": "no_download_right",
        "virus.txt": "flagged_abusive",
        "big.txt": "too_large",
        "spoilt.txt": "transfer_failed",
        "cut.txt": "transfer_failed",
    }
    texts = {row[0] for row in await database.fetch("SELECT content FROM raglive.chunks")}
    assert "Words that can be found." in texts
    assert any("We shall see." in text for text in texts)


async def test_an_export_past_the_limit_comes_by_link_then_by_operation_then_fails(
    drive: FakeDrive, server: FakeDriveServer, root: Item, dsn: str, database: Database
) -> None:
    server.google.export_limit_bytes = 10
    names = ("by link", "by operation", "never")
    made = [drive.create_native(n, root, DOCUMENT, {MARKDOWN: f"{n}, at length"}) for n in names]
    for item in made[1:]:
        server.fail("files.exportLink", FaultKind.FORBIDDEN, times=None, file_id=item.id)
    server.fail("files.download", FaultKind.FORBIDDEN, times=None, file_id=made[2].id)

    await _run_once(server, root, dsn)

    assert await _states(database) == {
        "by link": "completed",
        "by operation": "completed",
        "never": "export_too_large",
    }


async def test_nothing_is_embedded_anew_for_another_name_or_folder(
    drive: FakeDrive, server: FakeDriveServer, root: Item, dsn: str, database: Database
) -> None:
    folder = drive.create_folder("folder", root)
    files = [drive.create(f"{n}.txt", folder, f"file number {n}") for n in range(20)]
    await _run_once(server, root, dsn)
    before = await database.fetchval("SELECT max(attempt) FROM raglive.attempts")
    for file in files[:10]:
        drive.rename(file, f"new {file.name}")
        drive.move(file, root)
    drive.rename(folder, "other")
    await _run_once(server, root, dsn)
    assert await database.fetchval("SELECT max(attempt) FROM raglive.attempts") == before
    assert await database.fetchval("SELECT count(*) FROM raglive.attempts") == len(files)
    folders = await database.fetch("SELECT DISTINCT folder FROM raglive.files ORDER BY 1")
    assert [row["folder"] for row in folders] == ["", "other"]


async def test_credentials_that_google_refuses_delete_nothing_and_appear_nowhere(  # noqa: PLR0917 - fixtures
    drive: FakeDrive,
    server: FakeDriveServer,
    root: Item,
    dsn: str,
    database: Database,
    capfd: pytest.CaptureFixture[str],
) -> None:
    drive.create("kept.txt", root, b"kept")
    await _run_once(server, root, dsn)
    server.fail("token", FaultKind.INVALID_GRANT, times=None)
    with pytest.raises(RagliveError) as refused:
        await _run_once(server, root, dsn)
    assert refused.value.code == "auth_required"
    assert await _states(database) == {"kept.txt": "completed"}
    problem = await database.fetchval("SELECT problem FROM raglive.heads")
    assert problem["code"] == "auth_required"

    secret = json.loads(server.credentials_json())["private_key"]
    events = str(await database.fetch("SELECT payload FROM raglive.events"))
    said = "".join(capfd.readouterr()) + events + refused.value.message
    assert "kept.txt" in said
    for line in secret.splitlines()[1:-1]:
        assert line not in said
    assert "ya29." not in said
    assert "Bearer" not in said


@pytest.mark.parametrize(
    ("given", "code"),
    [("{}", "auth_required"), ("no such file", "auth_required"), ("{", "auth_required")],
)
async def test_credentials_that_cannot_be_read_are_not_repeated(  # noqa: PLR0917 - fixtures
    drive: FakeDrive, server: FakeDriveServer, root: Item, dsn: str, given: str, code: str
) -> None:
    with pytest.raises(RagliveError) as refused:
        await _run_once(server, root, dsn, GOOGLE_DRIVE_CREDENTIALS_JSON=given)
    assert refused.value.code == code
    assert given not in refused.value.message or given == "{"
