"""The watcher against a drive over HTTP: every change is found, and nothing is wrongly deleted."""

from __future__ import annotations

import pytest

from fake_google_drive.drive import FakeDrive
from raglive.sources.google_drive.client import DriveClient
from raglive.store.registry.pipelines import PipelineRecord
from tests.integration.sources.google_drive.drives import (
    USER,
    expected,
    indexed,
    watcher_of,
)


async def test_a_tree_is_listed_and_then_followed(
    drive: FakeDrive, client: DriveClient, record: PipelineRecord
) -> None:
    root = drive.create_folder("root", drive.my_drive(USER))
    reports = drive.create_folder("Reports", root)
    deep = drive.create_folder("2024", reports)
    one = drive.create("one.txt", root, b"one")
    two = drive.create("two.txt", deep, b"two")
    drive.create("elsewhere.txt", drive.my_drive(USER), b"not ours")
    watcher = watcher_of(record, client, root)

    first = await watcher.check()
    assert (first.new, first.files) == (2, 2)
    assert await indexed(record) == expected(drive, root)
    assert (await indexed(record))[two.id] == ("Reports/2024", "two.txt")

    drive.rename(reports, "Berichte")
    drive.move(one, deep)
    moved = await watcher.check()
    assert (moved.new, moved.changed, moved.deleted) == (0, 0, 0)
    assert await indexed(record) == expected(drive, root)

    drive.trash(deep)
    assert (await watcher.check()).deleted == 2
    assert await indexed(record) == {}
    drive.untrash(deep)
    assert (await watcher.check()).new == 2
    assert await indexed(record) == expected(drive, root)

    drive.write(one, b"other")
    assert (await watcher.check()).changed == 1


@pytest.mark.parametrize("where", ["my drive", "another shared drive"])
async def test_a_target_is_followed_in_the_log_that_reports_it(
    drive: FakeDrive, client: DriveClient, record: PipelineRecord, where: str
) -> None:
    root = drive.create_folder("root", drive.shared_drive("Ours", [USER]))
    other = drive.shared_drive("Other", [USER])
    target = drive.create("a.txt", other if where != "my drive" else drive.my_drive(USER), b"a")
    watcher = watcher_of(record, client, root)
    await watcher.check()
    shortcut = drive.create_shortcut(target, root)
    await watcher.check()
    drive.rename(target, "b.txt")
    assert (await watcher.check()).moved == 1
    drive.write(target, b"b")
    assert (await watcher.check()).changed == 1
    drive.move(target, drive.create_folder("elsewhere", drive.shared_drive("Third", [USER])))
    await watcher.check()
    drive.rename(target, "c.txt")
    await watcher.check()
    assert await indexed(record) == expected(drive, root) == {target.id: ("", "c.txt")}
    drive.delete(shortcut)
    await watcher.check()
    assert await indexed(record) == {}
    assert watcher.logs == {drive.tree.root(root).id}


async def test_a_new_member_of_a_shared_drive_reads_its_log_from_then_on(
    drive: FakeDrive, client: DriveClient, record: PipelineRecord
) -> None:
    shared = drive.shared_drive("Theirs", ["bob@example.com"])
    root = drive.create_folder("root", shared)
    drive.share(root, USER)
    watcher = watcher_of(record, client, root)
    await watcher.check()
    assert watcher.logs == {""}
    drive.add_member(shared, USER)
    await watcher.check()
    drive.create("new.txt", root, b"new")
    await watcher.check()
    assert await indexed(record) == expected(drive, root)
    assert watcher.logs == {shared.id}
