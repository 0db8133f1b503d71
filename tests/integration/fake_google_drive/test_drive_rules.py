"""Visibility and change logs of My Drive, shared drives, trash and shortcuts."""

from __future__ import annotations

from typing import Any

from fake_google_drive import FakeDrive, Item
from tests.integration.fake_google_drive.conftest import ALL_DRIVES, ANN, BOB, Asker


async def changes_since(
    asker: Asker, token: str = "1000", **parameters: Any
) -> dict[str, dict[str, Any]]:
    """Return the changes in a log since a token, by id."""
    found = await asker.get("changes", pageToken=token, fields="*", **parameters)
    return {each.get("fileId", each.get("driveId")): each for each in found["changes"]}


async def test_a_folder_moves_and_is_trashed_with_its_contents(
    drive: FakeDrive, ann: Asker
) -> None:
    root = drive.my_drive(ANN)
    folder = drive.create_folder("folder", root)
    file = drive.create("a.txt", drive.create_folder("inner", folder))
    token = (await ann.get("changes/startPageToken"))["startPageToken"]

    drive.trash(folder)
    assert set(await changes_since(ann, token)) == {folder.id}
    seen = await ann.get(f"files/{file.id}", fields="trashed,explicitlyTrashed")
    assert seen == {"trashed": True, "explicitlyTrashed": False}
    assert await ann.names(q="trashed=false") == []

    drive.untrash(folder)
    drive.move(folder, drive.create_folder("other", root))
    drive.trash(file)
    drive.untrash(file)
    assert list(await changes_since(ann, token)) == [
        next(each.id for each in drive.tree.items.values() if each.name == "other"),
        folder.id,
        file.id,
    ]
    assert "a.txt" in await ann.names(q="trashed=false")


async def test_sharing_makes_items_visible_and_hidden(
    drive: FakeDrive, ann: Asker, bob: Asker
) -> None:
    folder = drive.create_folder("folder", drive.my_drive(ANN))
    file = drive.create("a.txt", folder)
    assert await bob.refused(f"files/{file.id}") == (404, "notFound")

    drive.share(folder, BOB)
    seen = await bob.get(f"files/{folder.id}", fields="parents,ownedByMe,shared,capabilities")
    assert (seen["ownedByMe"], seen["shared"], seen.get("parents")) == (False, True, None)
    assert await bob.names(q=f"'{folder.id}' in parents") == ["a.txt"]
    assert await bob.names(q="sharedWithMe = true") == ["folder"]
    assert set(await changes_since(bob)) == {folder.id}
    assert await changes_since(bob, restrictToMyDrive="true") == {}

    drive.unshare(folder, BOB)
    change = (await changes_since(bob))[folder.id]
    assert change["removed"]
    assert "file" not in change
    assert await changes_since(bob, includeRemoved="false") == {}


async def test_shared_drives_have_logs_of_their_own(
    drive: FakeDrive, ann: Asker, bob: Asker
) -> None:
    sales = drive.shared_drive("Sales", [ANN])
    file = drive.create("a.txt", sales)
    in_drive = {"driveId": sales.id, "corpora": "drive", **ALL_DRIVES}
    log = {"driveId": sales.id, "includeCorpusRemovals": "true", **ALL_DRIVES}

    assert await ann.names() == []
    assert await ann.names(**in_drive) == ["a.txt"]
    assert await ann.names(corpora="allDrives", **ALL_DRIVES) == ["a.txt"]
    assert await bob.refused("files", **in_drive) == (403, "teamDriveMembershipRequired")
    assert await ann.refused(f"files/{file.id}") == (404, "notFound")
    seen = await ann.get(f"files/{file.id}", supportsAllDrives="true", fields="*")
    assert seen["driveId"] == sales.id
    assert "ownedByMe" not in seen
    root = await ann.get(f"files/{sales.id}", supportsAllDrives="true", fields="*")
    assert (root["name"], root["driveId"]) == ("Drive", sales.id)

    assert set(await changes_since(ann, **log)) == {file.id}
    assert set(await changes_since(ann, **ALL_DRIVES)) == {sales.id}
    assert await changes_since(ann) == {}

    drive.move(file, drive.my_drive(ANN))
    change = (await changes_since(ann, **log))[file.id]
    assert change["removed"]
    assert change["file"]["name"] == "a.txt"
    assert not (await changes_since(ann))[file.id]["removed"]
    drive.delete(file)
    change = (await changes_since(ann, **log))[file.id]
    assert (change["removed"], "file" in change) == (True, False)


async def test_members_are_added_and_removed(drive: FakeDrive, ann: Asker, bob: Asker) -> None:
    sales = drive.shared_drive("Sales", [ANN])
    file = drive.create("a.txt", sales)
    drive.share(file, BOB)
    assert set(await changes_since(bob, includeItemsFromAllDrives="true")) == {file.id}
    assert [each["name"] for each in (await ann.get("drives"))["drives"]] == ["Sales"]
    assert (await bob.get("drives"))["drives"] == []
    drive.add_member(sales, BOB)
    drive.rename_drive(sales, "Sales 2")
    assert (await bob.get(f"drives/{sales.id}"))["name"] == "Sales 2"
    assert (await changes_since(bob, **ALL_DRIVES))[sales.id]["drive"]["name"] == "Sales 2"
    drive.remove_member(sales, BOB)
    assert await bob.refused(f"drives/{sales.id}") == (404, "notFound")
    assert (await changes_since(bob, **ALL_DRIVES))[sales.id]["removed"]


async def test_a_log_may_lag_but_keeps_its_order(drive: FakeDrive, ann: Asker) -> None:
    drive.logs.lag = 2
    root = drive.my_drive(ANN)
    made: list[Item] = []
    for number in range(3):
        made.append(drive.create(f"{number}", root))
        drive.tick()
    assert await ann.names() == ["0", "1", "2"]
    assert list(await changes_since(ann)) == [made[0].id, made[1].id]
    drive.logs.lag = 0
    drive.rename(made[0], "again")
    assert list(await changes_since(ann)) == [made[0].id, made[1].id]
    drive.tick()
    assert list(await changes_since(ann)) == [made[1].id, made[2].id, made[0].id]


async def test_a_listing_continues_despite_changes(drive: FakeDrive, ann: Asker) -> None:
    root = drive.my_drive(ANN)
    files = [drive.create(f"{number:02}", root) for number in range(20)]
    query = {"q": f"'{root.id}' in parents and trashed = false", "pageSize": "6"}
    page = await ann.get("files", **query)
    names = [each["name"] for each in page["files"]]
    drive.delete(files[0])
    drive.trash(files[7])
    drive.create("late", root)
    names += await ann.names(pageToken=page["nextPageToken"], **query)
    assert names == [f"{number:02}" for number in range(20) if number != 7]
    other = {**query, "q": "trashed = false", "pageToken": page["nextPageToken"]}
    assert await ann.refused("files", **other) == (400, "invalid")


async def test_shortcuts_native_documents_and_forbidden_downloads(
    drive: FakeDrive, ann: Asker, bob: Asker
) -> None:
    root = drive.my_drive(ANN)
    file = drive.create("a.txt", root, "hello")
    shortcut = drive.create_shortcut(file, root)
    seen = await ann.get(f"files/{shortcut.id}", fields="shortcutDetails/targetId,size")
    assert seen == {"shortcutDetails": {"targetId": file.id}}
    for item in (shortcut, root):
        assert await ann.refused(f"files/{item.id}", alt="media") == (403, "fileNotDownloadable")
    refused = await ann.refused(f"files/{file.id}/export", mimeType="text/plain")
    assert refused == (403, "fileNotExportable")

    drive.share(file, BOB)
    drive.flag_as_abusive(file)
    media = {"alt": "media", "acknowledgeAbuse": "true"}
    assert (await ann.http.get(f"files/{file.id}", params=media)).text == "hello"
    refused = await bob.refused(f"files/{file.id}", **media)
    assert refused == (403, "cannotDownloadAbusiveFile")
    drive.set_downloadable(file, allowed=False)
    assert await bob.refused(f"files/{file.id}", **media) == (403, "cannotDownloadFile")
    seen = await bob.get(f"files/{file.id}", fields="capabilities/canDownload")
    assert seen == {"capabilities": {"canDownload": False}}
