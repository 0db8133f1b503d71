"""Failures of Google Drive: each is reported by its code, and none leads to a deletion."""

from __future__ import annotations

import pytest

from fake_google_drive.drive import FakeDrive
from fake_google_drive.faults import FaultKind
from fake_google_drive.items import Item
from fake_google_drive.server import FakeDriveServer
from raglive.sources.google_drive import deletion_guard
from raglive.sources.google_drive.client import DriveClient
from raglive.store.registry.held_deletions import approve_deletions, list_held_deletions
from raglive.store.registry.pipelines import PipelineRecord
from raglive_contract.errors import RagliveError
from tests.integration.sources.google_drive.drives import (
    USER,
    expected,
    indexed,
    watcher_of,
)


@pytest.fixture
def root(drive: FakeDrive) -> Item:
    root = drive.create_folder("root", drive.my_drive(USER))
    for number in range(5):
        folder = drive.create_folder(f"folder {number}", root)
        drive.create(f"{number}.txt", folder, f"text {number}")
    return root


async def _problem(record: PipelineRecord, field: str = "code") -> str | None:
    found: str | None = await record.database.fetchval(
        "SELECT problem ->> $2 FROM raglive.heads WHERE pipeline_key = $1", record.key, field
    )
    return found


@pytest.mark.parametrize("method", ["files.list", "changes.list", "changes.getStartPageToken"])
@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (FaultKind.USER_RATE_LIMIT, "drive_rate_limited"),
        (FaultKind.RATE_LIMIT, "drive_rate_limited"),
        (FaultKind.TOO_MANY_REQUESTS, "drive_rate_limited"),
        (FaultKind.INTERNAL, "drive_unavailable"),
        (FaultKind.UNAVAILABLE, "drive_unavailable"),
        (FaultKind.CUT, "drive_unavailable"),
        (FaultKind.UNAUTHENTICATED, "auth_required"),
        (FaultKind.FORBIDDEN, "drive_forbidden"),
    ],
)
async def test_a_lasting_refusal_is_reported_and_deletes_nothing(  # noqa: PLR0917 - fixtures
    server: FakeDriveServer,
    client: DriveClient,
    record: PipelineRecord,
    root: Item,
    method: str,
    kind: FaultKind,
    code: str,
) -> None:
    before: dict[str, tuple[str, str]] = {}
    if method == "changes.list":
        await watcher_of(record, client, root).check()
        before = await indexed(record)
        assert len(before) == 5
    watcher = watcher_of(record, client, root)
    server.fail(method, kind, times=None)
    with pytest.raises(RagliveError) as refused:
        await watcher.check()
    assert refused.value.code == code
    assert await _problem(record) == code
    assert await indexed(record) == before

    server.google.faults.clear()
    await watcher.check()
    assert await _problem(record) is None
    assert len(await indexed(record)) == 5


@pytest.mark.parametrize(
    "kind", [FaultKind.USER_RATE_LIMIT, FaultKind.UNAVAILABLE, FaultKind.UNAUTHENTICATED]
)
async def test_a_transient_refusal_is_retried(
    server: FakeDriveServer,
    client: DriveClient,
    record: PipelineRecord,
    root: Item,
    kind: FaultKind,
) -> None:
    server.fail("files.list", kind, times=1)
    found = await watcher_of(record, client, root).check()
    assert found.new == 5


@pytest.mark.parametrize(
    "kind",
    [
        FaultKind.PAGE_TOKEN_INVALID,
        FaultKind.PAGE_TOKEN_NOT_FOUND,
        FaultKind.PAGE_TOKEN_EXPIRED,
        FaultKind.PAGE_TOKEN_GONE,
    ],
)
async def test_a_lost_cursor_means_a_full_listing(  # noqa: PLR0917 - fixtures
    drive: FakeDrive,
    server: FakeDriveServer,
    client: DriveClient,
    record: PipelineRecord,
    root: Item,
    kind: FaultKind,
) -> None:
    watcher = watcher_of(record, client, root)
    await watcher.check()
    for item in list(drive.files_under(root, USER))[:3]:
        if not item.is_folder:
            drive.delete(item)
    drive.create("new.txt", root, b"new")
    drive.expire_page_tokens()
    server.fail("changes.list", kind)
    await watcher.check()
    assert await indexed(record) == expected(drive, root)


async def test_a_full_listing_that_ends_half_way_or_is_partial_deletes_nothing(
    drive: FakeDrive,
    server: FakeDriveServer,
    client: DriveClient,
    record: PipelineRecord,
    root: Item,
) -> None:
    await watcher_of(record, client, root).check()
    before = await indexed(record)
    for kind, after in ((FaultKind.INCOMPLETE_SEARCH, 0), (FaultKind.UNAVAILABLE, 1)):
        watcher = watcher_of(record, client, root, full_listing_seconds=0)
        server.fail("files.list", kind, times=None, after=after)
        with pytest.raises(RagliveError) as stopped:
            await watcher.check()
        assert stopped.value.retryable
        assert await indexed(record) == before
        server.google.faults.clear()
        await watcher.check()
        assert await indexed(record) == expected(drive, root)


@pytest.mark.parametrize(
    "kind", [FaultKind.SEVERAL_PARENTS_EMPTY, FaultKind.SEVERAL_PARENTS_PARTIAL]
)
async def test_children_left_out_of_a_listing_of_several_folders_are_found(  # noqa: PLR0917 - fixtures
    drive: FakeDrive,
    server: FakeDriveServer,
    client: DriveClient,
    record: PipelineRecord,
    root: Item,
    kind: FaultKind,
) -> None:
    for folder in drive.tree.children(root.id):
        drive.create("deep.txt", drive.create_folder("deep", folder), b"deep")
        drive.create_folder("empty", folder)
    server.fail("files.list", kind, times=None)
    first = await watcher_of(record, client, root).check()
    assert (first.new, first.held) == (10, 0)
    assert await indexed(record) == expected(drive, root)

    again = await watcher_of(record, client, root, full_listing_seconds=0).check()
    assert (again.deleted, again.held) == (0, 0)
    server.google.faults.clear()
    server.google.requests.clear()
    await watcher_of(record, client, root, full_listing_seconds=0).check()
    assert _listings(server) == 16, "one for each folder: this drive's answers are distrusted"


async def test_empty_folders_are_listed_again_but_cause_no_distrust(
    drive: FakeDrive, server: FakeDriveServer, client: DriveClient, record: PipelineRecord
) -> None:
    root = drive.create_folder("root", drive.my_drive(USER))
    for number in range(20):
        folder = drive.create_folder(f"folder {number}", root)
        if number:
            drive.create(f"{number}.txt", folder, b"text")
    await watcher_of(record, client, root).check()
    assert _listings(server) == 3


def _listings(server: FakeDriveServer) -> int:
    return [one.method for one in server.google.requests].count("files.list")


async def test_a_mass_deletion_is_held_until_it_is_approved(
    drive: FakeDrive, client: DriveClient, record: PipelineRecord, root: Item
) -> None:
    watcher = watcher_of(record, client, root)
    await watcher.check()
    before = await indexed(record)
    for item in list(drive.files_under(root, USER)):
        if item.is_folder:
            drive.delete(item)
    drive.expire_page_tokens()

    assert (await watcher.check()).held == 5
    assert await indexed(record) == before
    assert await _problem(record) == "deletions_held"

    held = await list_held_deletions(record.database)
    assert [one.pipeline_id for one in held] == [record.pipeline_id]
    await approve_deletions(record.database, held[0].pipeline_key)
    assert (await watcher.check()).deleted == 5
    assert await indexed(record) == {}
    assert await _problem(record) is None


async def test_only_missing_files_that_drive_lacks_are_deleted_on_approval(  # noqa: PLR0917 - fixtures
    drive: FakeDrive,
    server: FakeDriveServer,
    client: DriveClient,
    record: PipelineRecord,
    root: Item,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever a listing leaves out, and an operator then approves."""
    monkeypatch.setattr(deletion_guard, "CHECKED_BEFORE_HOLDING", 4)
    watcher = watcher_of(record, client, root, full_listing_seconds=0)
    await watcher.check()
    folders = list(drive.tree.children(root.id))
    drive.trash(folders[0])
    outside = drive.create_folder("outside", drive.my_drive(USER))
    drive.move(next(iter(drive.tree.children(folders[1].id))), outside)
    drive.expire_page_tokens()
    server.fail("files.list", FaultKind.EMPTY, times=None)

    assert (await watcher.check()).held == 5
    message = await record.database.fetchval("SELECT problem ->> 'message' FROM raglive.heads")
    assert message.startswith("Google Drive still has ")
    assert "of 4 files" in message
    await approve_deletions(record.database, record.key)
    assert (await watcher.check()).deleted == 2
    assert len(await indexed(record)) == 3

    server.google.faults.clear()
    await watcher.check()
    assert await indexed(record) == expected(drive, root)
    assert len(await indexed(record)) == 3


@pytest.mark.parametrize("how", ["trash", "above", "unshare"])
async def test_a_watched_folder_that_disappears_loses_no_files(
    drive: FakeDrive, client: DriveClient, record: PipelineRecord, root: Item, how: str
) -> None:
    if how == "unshare":
        root = drive.create_folder("his", drive.my_drive("bob@example.com"))
        drive.create("his.txt", root, b"his")
        drive.share(root, USER)
    above = drive.create_folder("above", drive.my_drive(USER))
    if how == "above":
        drive.move(root, above)
    watcher = watcher_of(record, client, root)
    await watcher.check()
    before = await indexed(record)
    assert before

    if how == "unshare":
        drive.unshare(root, USER)
    else:
        drive.trash(root if how == "trash" else above)
    await watcher.check()
    assert await _problem(record) == "watch_location_unavailable"
    assert "Its files remain" in str(await _problem(record, "message"))
    assert await indexed(record) == before

    if how == "unshare":
        drive.share(root, USER)
    else:
        drive.untrash(root if how == "trash" else above)
    drive.create("after.txt", root, b"after")
    await watcher.check()
    assert await _problem(record) is None
    assert await indexed(record) == expected(drive, root)


async def test_a_folder_that_never_existed_is_named(
    client: DriveClient, record: PipelineRecord, root: Item, drive: FakeDrive
) -> None:
    other = drive.create_folder("other", drive.my_drive("bob@example.com"))
    with pytest.raises(RagliveError, match=other.id) as missing:
        await watcher_of(record, client, other).check()
    assert missing.value.code == "watch_location_unavailable"
    file = drive.create("file.txt", root, b"")
    with pytest.raises(RagliveError, match="not a folder") as wrong:
        await watcher_of(record, client, file).check()
    assert wrong.value.code == "settings_invalid"


async def test_a_poll_without_changes_is_one_request(
    server: FakeDriveServer, client: DriveClient, record: PipelineRecord, root: Item
) -> None:
    watcher = watcher_of(record, client, root)
    await watcher.check()
    before = len(server.google.requests)
    await watcher.check()
    assert [one.method for one in list(server.google.requests)[before:]] == ["changes.list"]
