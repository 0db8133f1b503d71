"""Many files: moving and renaming downloads nothing, and a check without changes is cheap."""

from __future__ import annotations

import tracemalloc

from fake_google_drive.drive import FakeDrive
from fake_google_drive.server import FakeDriveServer
from raglive.sources.google_drive.client import DriveClient
from raglive.store.pool import Database
from raglive.store.registry.pipelines import PipelineRecord
from tests.integration.sources.google_drive.drives import (
    USER,
    expected,
    indexed,
    watcher_of,
)

FILES = 10_000
POLLED_FILES = 4000
MOST_ROWS_OF_A_POLL = 20
MOST_BYTES_OF_A_FOLDER = 10 * 2**20  # however many files are in it
_TRASHED = """
SELECT count(*) FROM raglive.events
WHERE pipeline_key = $1 AND type = 'file:deleted' AND payload ->> 'reason' = 'trashed'
"""
_ROWS_TOUCHED = """
SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0) + n_tup_ins + n_tup_upd + n_tup_del)
FROM pg_stat_user_tables
"""


async def test_ten_thousand_files_move_are_renamed_and_leave_without_being_read_again(
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

    drive.trash(above)
    tracemalloc.start()
    try:
        trashed = await watcher.check()
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert (trashed.deleted, trashed.files) == (FILES, 0)
    assert await record.database.fetchval(_TRASHED, record.key) == FILES
    assert most < MOST_BYTES_OF_A_FOLDER


async def test_a_poll_without_changes_touches_a_handful_of_rows(
    drive: FakeDrive, server: FakeDriveServer, client: DriveClient, dsn: str
) -> None:
    root = drive.create_folder("root", drive.my_drive(USER))
    for n in range(POLLED_FILES // 20):
        folder = drive.create_folder(f"folder {n}", root)
        made = [drive.create(f"{n} {m}.txt", folder, f"text {n} {m}") for m in range(20)]
        drive.create_shortcut(made[0], root)
    database = await Database.connect(dsn, name="poll", max_size=1)
    try:
        record = await PipelineRecord.register(database, "google-drive-pipeline", "google_drive")
        watcher = watcher_of(record, client, root)
        assert (await watcher.check()).files == POLLED_FILES
        await database.execute("ANALYZE")
        await watcher.check()  # with the statistics that a database in use has
        before, requests = await _rows_touched(database), len(server.google.requests)
        await watcher.check()
        touched = await _rows_touched(database) - before
        assert [one.method for one in list(server.google.requests)[requests:]] == ["changes.list"]
        assert 0 < touched < MOST_ROWS_OF_A_POLL
    finally:
        await database.close()


async def _rows_touched(database: Database) -> int:
    """Return how many rows this database's one connection has read and written so far."""
    await database.execute("SELECT pg_stat_force_next_flush()")
    return int(await database.fetchval(_ROWS_TOUCHED))
