"""The whole pipeline, run once over a drive: completed, skipped and failed files."""

from __future__ import annotations

import asyncio
from functools import partial

import pytest

import raglive.app.sources as app
from fake_google_drive.drive import FakeDrive
from fake_google_drive.faults import FaultKind
from fake_google_drive.items import Item
from fake_google_drive.mime import DOCUMENT
from fake_google_drive.server import FakeDriveServer
from raglive.app.doctor.google_drive import examine_google_drive
from raglive.app.installation import Installation
from raglive.app.source_verification import verify_sources
from raglive.app.sources import run_google_drive
from raglive.cli.running import exit_status_of
from raglive.settings import read_settings
from raglive.store.pool import Database
from raglive_contract.errors import RagliveError
from tests.integration.sources.google_drive.drives import IMPATIENT, USER

MARKDOWN = "text/markdown"
FORM = "application/vnd.google-apps.form"
MENDED_BY_THEMSELVES = {
    "auth_required",
    "drive_disabled",
    "drive_rate_limited",
    "drive_unavailable",
}
WITHOUT_RIGHT = {"drive_forbidden", "no_download_right"}
_STATES = """
SELECT name, coalesce(error ->> 'code', reason ->> 'code', state) FROM raglive.files
WHERE state <> 'deleted'
"""


@pytest.fixture
def root(drive: FakeDrive) -> Item:
    return drive.create_folder("root", drive.my_drive(USER))


def _installation(server: FakeDriveServer, root: Item, dsn: str, **settings: str) -> Installation:
    environment = {
        "RUN_MODE": "single",
        "RAG_WATCH_FOLDER_ID": root.id,
        "GOOGLE_DRIVE_CREDENTIALS_JSON": server.credentials_json(),
        "RAGLIVE_GOOGLE_API_URL": server.url,
        "RAGLIVE_WORKERS": "1",
        "RAGLIVE_MAX_ATTEMPTS": "1",
        **settings,
    }
    return Installation(read_settings(environment), dsn, "s" * 40)


async def _run_once(server: FakeDriveServer, root: Item, dsn: str, **settings: str) -> None:
    never: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    await run_google_drive(_installation(server, root, dsn, **settings), never)


async def _states(database: Database) -> dict[str, str]:
    return {row[0]: row[1] for row in await database.fetch(_STATES)}


async def test_every_kind_of_file_has_its_expected_outcome(
    drive: FakeDrive, server: FakeDriveServer, root: Item, dsn: str, database: Database
) -> None:
    drive.create("plain.txt", root, b"Words that can be found.")
    drive.create_native("Plan", root, DOCUMENT, {MARKDOWN: "# Plan\n\nWe shall see."})
    drive.create_native("Survey", root, FORM, {})
    withheld = drive.create("secret.txt", root, b"not for you")
    drive.set_downloadable(withheld, False)
    drive.flag_as_abusive(drive.create("virus.txt", root, b"bad"))
    drive.create_shortcut(root, root, "Loop")
    drive.create("big.txt", root, b"x" * 3000)
    spoilt = drive.create("spoilt.txt", root, b"Bytes that are changed on the way.")
    cut = drive.create("cut.txt", root, b"Bytes that do not all come.")
    server.fail("files.getMedia", FaultKind.CORRUPTED, file_id=spoilt.id)
    server.fail("files.getMedia", FaultKind.TRUNCATED, file_id=cut.id)

    with pytest.raises(RagliveError, match="2 files failed") as failed:
        await _run_once(server, root, dsn, RAGLIVE_MAX_FILE_BYTES="2000")
    assert exit_status_of(failed.value) == 5

    assert await _states(database) == {
        "plain.txt": "completed",
        "Plan": "completed",
        "Survey": "unsupported",
        "Loop": "shortcut_to_folder",
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
    names = ("by link", "by operation", "never", "broken")
    made = [drive.create_native(n, root, DOCUMENT, {MARKDOWN: f"{n}, at length"}) for n in names]
    refusals = (FaultKind.REDIRECT_TO_SIGN_IN, FaultKind.FORBIDDEN, FaultKind.FORBIDDEN)
    for item, kind in zip(made[1:], refusals, strict=True):
        server.fail("files.exportLink", kind, times=None, file_id=item.id)
    server.fail("files.download", FaultKind.FORBIDDEN, times=None, file_id=made[2].id)
    server.fail("files.download", FaultKind.OPERATION_FAILED, times=None, file_id=made[3].id)

    with pytest.raises(RagliveError, match="2 files failed"):
        await _run_once(server, root, dsn)

    assert await _states(database) == {
        "broken": "export_failed",
        "by link": "completed",
        "by operation": "completed",
        "never": "export_too_large",
    }


async def test_a_new_name_or_folder_needs_no_new_embedding(
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


PAGES = (FaultKind.SIGN_IN_PAGE, FaultKind.CAPTCHA_PAGE, FaultKind.MISLABELLED_PAGE)
FATES = {
    "user quota": ("files.getMedia", FaultKind.USER_RATE_LIMIT, "drive_rate_limited"),
    "project quota": ("files.getMedia", FaultKind.RATE_LIMIT, "drive_rate_limited"),
    "too many": ("files.get", FaultKind.TOO_MANY_REQUESTS, "drive_rate_limited"),
    "internal": ("files.getMedia", FaultKind.INTERNAL, "drive_unavailable"),
    "unavailable": ("files.get", FaultKind.UNAVAILABLE, "drive_unavailable"),
    "cut off": ("files.get", FaultKind.CUT, "drive_unavailable"),
    "cut": ("files.getMedia", FaultKind.TRUNCATED, "transfer_failed"),
    "corrupted": ("files.getMedia", FaultKind.CORRUPTED, "transfer_failed"),
    "forbidden": ("files.getMedia", FaultKind.FORBIDDEN, "drive_forbidden"),
    "automated queries": ("files.getMedia", FaultKind.AUTOMATED_QUERIES, "drive_unavailable"),
    "daily limit": ("files.getMedia", FaultKind.DAILY_LIMIT, "drive_rate_limited"),
    "download quota": ("files.getMedia", FaultKind.DOWNLOAD_QUOTA, "download_quota_exceeded"),
    "domain policy": ("files.getMedia", FaultKind.DOMAIN_POLICY, "drive_disabled"),
    "no download": ("files.getMedia", FaultKind.CANNOT_DOWNLOAD, "no_download_right"),
    "abusive": ("files.getMedia", FaultKind.ABUSIVE, "flagged_abusive"),
    "no member": ("files.getMedia", FaultKind.NOT_A_MEMBER, "drive_forbidden"),
    "unknown": ("files.getMedia", FaultKind.UNKNOWN_REASON, "drive_refused"),
    "virus scan": ("files.getMedia", FaultKind.VIRUS_SCAN_PAGE, "transfer_failed"),
    "mislabelled": ("files.getMedia", FaultKind.MISLABELLED_PAGE, "transfer_failed"),
    "sign-in": ("files.getMedia", FaultKind.SIGN_IN_PAGE, "transfer_failed"),
    "elsewhere": ("files.getMedia", FaultKind.REDIRECT_ELSEWHERE, "transfer_failed"),
    "sign-in elsewhere": ("files.getMedia", FaultKind.REDIRECT_TO_SIGN_IN, "transfer_failed"),
    "unauthenticated": ("files.getMedia", FaultKind.UNAUTHENTICATED, "auth_required"),
    "gone": ("files.get", FaultKind.NOT_FOUND, "file_vanished"),
    "gone meanwhile": ("files.getMedia", FaultKind.NOT_FOUND, "file_vanished"),
}


async def test_every_refusal_of_a_file_ends_in_the_state_that_it_names(  # noqa: PLR0917 - fixtures
    drive: FakeDrive,
    server: FakeDriveServer,
    root: Item,
    dsn: str,
    database: Database,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    opened = partial(app.open_google_drive, retry=IMPATIENT)
    monkeypatch.setattr(app, "open_google_drive", opened)
    for name, (method, kind, _) in FATES.items():
        file = drive.create(name, root, name, mime_type="text/plain")
        server.fail(method, kind, times=None, file_id=file.id)
    for kind in PAGES:
        page = drive.create_native(kind, root, DOCUMENT, {MARKDOWN: "text"})
        server.fail("files.export", kind, times=None, file_id=page.id)
    unsupported = dict.fromkeys(("form", "site", "map"), "unsupported")
    for name in unsupported:
        drive.create_native(name, root, f"application/vnd.google-apps.{name}", {})

    with pytest.raises(RagliveError, match="Left for another run") as left:
        await _run_once(server, root, dsn)
    assert left.value.retryable

    fates = {name: code for name, (_, _, code) in FATES.items()}
    fates |= dict.fromkeys(PAGES, "transfer_failed")
    assert await _states(database) == fates | unsupported

    server.google.faults.clear()
    for file in list(drive.files_under(root, USER)):
        if file.name == "download quota":  # is requested again after an hour
            drive.delete(file)
            del fates[file.name]
    with pytest.raises(RagliveError, match="files failed"):
        await _run_once(server, root, dsn)
    after = await _states(database)
    mended = {name for name, code in fates.items() if code in MENDED_BY_THEMSELVES}
    assert mended == {name for name, state in after.items() if state == "completed"}

    granted = [one for one in drive.files_under(root, USER) if fates.get(one.name) in WITHOUT_RIGHT]
    for file in granted:
        drive.share(file, "carol@example.com")  # the change log mentions the file
    with pytest.raises(RagliveError, match="files failed"):
        await _run_once(server, root, dsn)
    after = await _states(database)
    assert {after[file.name] for file in granted} == {"completed"}


async def test_a_run_that_holds_deletions_back_says_so(
    drive: FakeDrive, server: FakeDriveServer, root: Item, dsn: str, database: Database
) -> None:
    files = [drive.create(f"{number}.txt", root, b"text") for number in range(3)]
    await _run_once(server, root, dsn)
    for file in files[:2]:
        drive.delete(file)
    drive.expire_page_tokens()  # so that only a full listing finds it
    with pytest.raises(RagliveError, match="2 missing files") as held:
        await _run_once(server, root, dsn)
    assert exit_status_of(held.value) == 4
    assert len(await _states(database)) == 3


async def test_a_missing_folder_does_not_block_the_others(
    drive: FakeDrive, server: FakeDriveServer, root: Item, dsn: str, database: Database
) -> None:
    drive.create("there.txt", root, b"there")
    with pytest.raises(RagliveError, match="1nowhere") as missing:
        await _run_once(server, root, dsn, RAG_WATCH_FOLDER_ID=f"{root.id},1nowhere")
    assert missing.value.code == "watch_location_unavailable"
    assert "remain" not in missing.value.message  # it never had files
    assert await _states(database) == {"there.txt": "completed"}


async def test_what_is_shared_by_link_is_read_with_its_resource_keys(
    drive: FakeDrive, server: FakeDriveServer, dsn: str, database: Database
) -> None:
    his = drive.my_drive("bob@example.com")
    root = drive.create_folder("by link", his)
    folder = drive.create_folder("folder", root)
    kept = drive.create("kept.txt", folder, b"text")
    drive.create_native("Plan", folder, DOCUMENT, {MARKDOWN: "A plan."})
    target = drive.create("target.txt", his, b"text")
    drive.create_shortcut(target, root)
    drive.share_by_link(target)
    key = drive.share_by_link(root)
    with pytest.raises(RagliveError, match="resourcekey"):
        await _run_once(server, root, dsn)

    address = f"drive.google.com/drive/folders/{root.id}?resourcekey={key}&usp=sharing"
    await _run_once(server, root, dsn, RAG_WATCH_FOLDER_ID=address)
    files = {"kept.txt": "completed", "Plan": "completed", "target.txt": "completed"}
    assert await _states(database) == files
    installation = _installation(server, root, dsn, RAG_WATCH_FOLDER_ID=address)
    findings = await examine_google_drive(installation.settings)
    assert {finding.state for finding in findings} == {"passed"}
    said = " ".join(finding.message for finding in findings)
    for what in ("clock is right", USER, "download of kept.txt", "export of Plan", "quota units"):
        assert what in said
    assert await verify_sources(installation, None, None) == []

    drive.write(kept, b"other text")
    drive.unshare_by_link(target)
    drive.expire_page_tokens()  # so that everything is listed: no log reports items shared by link
    await _run_once(server, root, dsn, RAG_WATCH_FOLDER_ID=address)
    del files["target.txt"]
    assert await _states(database) == files
    assert "other text" in {
        row[0] for row in await database.fetch("SELECT content FROM raglive.chunks")
    }


async def test_verification_compares_the_index_with_the_drive(
    drive: FakeDrive, server: FakeDriveServer, root: Item, dsn: str, database: Database
) -> None:
    folder = drive.create_folder("folder", root)
    kept = [drive.create(f"{number}.txt", folder, b"text") for number in range(3)]
    outside = drive.create("target.txt", drive.my_drive(USER), b"text")
    drive.create_shortcut(outside, root)
    await _run_once(server, root, dsn)
    installation = _installation(server, root, dsn)
    assert await verify_sources(installation, None, None) == []

    drive.write(kept[0], b"other text")
    drive.trash(kept[1])
    drive.move(kept[2], drive.my_drive(USER))
    drive.create("new.txt", drive.create_folder("new", folder), b"text")
    for sample in (None, 100):
        found = await verify_sources(installation, "google-drive-pipeline", sample)
        assert {one.code: one.message for one in found} == {
            "missing_in_index": "1 in the source, but not in the index: folder new.",
            "not_in_source": "2 in the index, but no longer in the source: 1.txt, 2.txt.",
            "outdated_in_index": "1 in the index with an earlier content: 0.txt.",
        }
    await _run_once(server, root, dsn)
    assert await verify_sources(installation, None, 1) == []
    with pytest.raises(RagliveError, match="There are: google-drive-pipeline"):
        await verify_sources(installation, "another", None)
