"""Ten thousand files: moving and renaming them is bookkeeping, and costs no content."""

from __future__ import annotations

from raglive.database.pipelines import PipelineRecord
from raglive.fake_drive.drive import FakeDrive
from raglive.fake_drive.server import FakeDriveServer
from raglive.pipeline.watchers.google_drive.client import DriveClient
from tests.integration.pipeline.watchers.google_drive.drives import (
    USER,
    expected,
    indexed,
    watcher_of,
)

FILES = 10_000


async def test_ten_thousand_files_move_and_are_renamed_without_being_read_again(
    drive: FakeDrive, server: FakeDriveServer, client: DriveClient, record: PipelineRecord
) -> None:
    root = drive.create_folder("root", drive.my_drive(USER))
    folders = [drive.create_folder(f"folder {n}", root) for n in range(50)]
    files = [drive.create(f"{n}.txt", folders[n % 50], f"text {n}") for n in range(FILES)]
    watcher = watcher_of(record, client, root)
    assert (await watcher.check()).new == FILES

    above = drive.create_folder("above", root)
    for folder in folders:
        drive.move(folder, above)
    requests = len(server.google.requests)
    moved = await watcher.check()
    assert (moved.new, moved.changed, moved.moved, moved.deleted) == (0, 0, FILES, 0)
    assert len(server.google.requests) - requests < 10
    assert await indexed(record) == expected(drive, root)

    for file in files:
        drive.rename(file, f"new {file.name}")
    renamed = await watcher.check()
    assert (renamed.new, renamed.changed, renamed.moved) == (0, 0, FILES)
    query = "SELECT count(*) FROM raglive.files WHERE desired_generation <> 1"
    assert await record.database.fetchval(query) == 0
