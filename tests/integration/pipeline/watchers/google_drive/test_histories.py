"""Whatever happens in a drive, and wherever the pipeline crashes, the index ends equal to it."""

from __future__ import annotations

import asyncio
import os
from typing import cast

import pytest

from raglive.contract.errors import RagliveError
from raglive.database.approval import approve_deletions
from raglive.database.pipelines import PipelineRecord
from raglive.database.pool import Database
from raglive.fake_drive.server import FakeDriveServer
from raglive.pipeline.watchers.google_drive.client import DriveClient
from tests.integration.pipeline.watchers.google_drive.drives import indexed, opened, watcher_of
from tests.integration.pipeline.watchers.google_drive.histories import (
    Crash,
    FragileDatabase,
    Fuse,
    History,
)

PORTIONS = 10
LONGEST_SECONDS = 60
REMEMBERED = (
    476,  # a file that its old log called removed after its folder had moved into another
    592,  # targets of shortcuts that had each other asked for again, for ever
    978,  # a folder that was away in another log and back before its first change was read
    1926,  # a file made in a folder just before that moved into another log
    2125,  # a file that went and came with a folder of another log
    3239,  # a shortcut's target that was trashed while the cursor was lost
)
HISTORIES = int(os.environ.get("RAGLIVE_TEST_HISTORIES") or (500 if os.environ.get("CI") else 60))
FIRST = int(os.environ.get("RAGLIVE_TEST_FIRST_HISTORY") or 0)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("portion", range(PORTIONS))
async def test_the_index_ends_equal_to_the_drive(portion: int, database: Database) -> None:
    for seed in range(FIRST + portion, FIRST + HISTORIES, PORTIONS):
        print(f"history {seed}")  # noqa: T201 - shown when it fails
        async with asyncio.timeout(LONGEST_SECONDS):
            await _live_through(seed, database)


@pytest.mark.parametrize("seed", REMEMBERED)
async def test_what_once_went_wrong_goes_well(seed: int, database: Database) -> None:
    async with asyncio.timeout(LONGEST_SECONDS):
        await _live_through(seed, database)


async def _live_through(seed: int, database: Database) -> None:
    history = History(seed)
    fuse = Fuse()
    fragile = cast("Database", FragileDatabase(database, fuse))
    record = await PipelineRecord.register(database, f"history-{seed}", "google_drive")
    record = PipelineRecord(fragile, record.key, record.pipeline_id, record.pipeline_type)
    async with FakeDriveServer(history.drive) as server, opened(server) as client:
        fuse.attach(client)
        watcher = watcher_of(record, client, *history.roots)
        for _ in range(history.random.randrange(1, 5)):
            fuse.left = history.random.choice((None, history.random.randrange(30)))
            try:
                await watcher.check()
            except Crash:
                watcher = watcher_of(record, client, *history.roots)
            for _ in range(history.random.randrange(10)):
                history.step()
            history.drive.tick(history.random.randrange(4))
            if history.random.random() < 0.1:
                history.drive.expire_page_tokens()
        fuse.left = None
        history.drive.catch_up()
        await _settle(record, client, history)
    assert await indexed(record) == history.expected(), f"history {seed}"


async def _settle(record: PipelineRecord, client: DriveClient, history: History) -> None:
    """Check until nothing is held; what is meant to be gone is approved."""
    watcher = watcher_of(record, client, *history.roots)
    for _ in range(3):
        try:
            found = await watcher.check()
        except RagliveError as error:
            raise AssertionError(error.message) from error
        if not found.held:
            return
        await approve_deletions(record.database, record.key)
