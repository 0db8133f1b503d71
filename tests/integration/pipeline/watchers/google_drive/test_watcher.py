"""The watcher against a drive over HTTP: every change is seen, and nothing is deleted wrongly."""

from __future__ import annotations

from raglive.database.pipelines import PipelineRecord
from raglive.fake_drive.drive import FakeDrive
from raglive.pipeline.watchers.google_drive.client import DriveClient
from tests.integration.pipeline.watchers.google_drive.drives import (
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
