"""Whatever happens in a drive, and wherever the pipeline crashes, the index ends equal to it."""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from typing import cast

import pytest

from fake_google_drive.server import FakeDriveServer
from raglive.sources.google_drive.watcher import GoogleDriveWatcher
from raglive.sources.source import FolderUnavailable
from raglive.store.pool import Database
from raglive.store.registry.held_deletions import approve_deletions
from raglive.store.registry.pipelines import PipelineRecord
from raglive_contract.errors import RagliveError
from tests.integration.sources.google_drive.drives import indexed, opened, watcher_of
from tests.integration.sources.google_drive.histories import (
    Crash,
    FragileDatabase,
    Fuse,
    History,
)
from tests.integration.sources.google_drive.upheavals import Upheaval

TROUBLES = {"watch_location_unavailable", "drive_forbidden", "drive_not_found"}
PORTIONS = 10  # of the histories; each is a test of its own, so that a run can take some of them
LONGEST_SECONDS = 60
REMEMBERED = (
    476,  # a file that its old log called removed after its folder had moved into another
    592,  # targets of shortcuts that had each other asked for again, for ever
    978,  # a folder that was away in another log and back before its first change was read
    1926,  # a file made in a folder just before that moved into another log
    2125,  # a file that went and came with a folder of another log
    3239,  # a shortcut's target that was trashed while the cursor was lost
)
REMEMBERED_UPHEAVALS = (
    68,  # a shortcut in a watched folder that is gone brought back its target, for ever
    2631,  # what was still to be listed in a shared drive, left and not watched any more
    377,  # approved, when the settings named another folder that was not there
    5617,  # a folder that moved into one of a shared drive of which the account is no member
    6190,  # a shortcut's target in a watched folder that the account may no longer see
    5089,  # left out of the settings in the midst of a full listing that had met it
)
HISTORIES = int(os.environ.get("RAGLIVE_TEST_HISTORIES") or 500)
FIRST = int(os.environ.get("RAGLIVE_TEST_FIRST_HISTORY") or 0)


@pytest.mark.drawn(2)
@pytest.mark.timeout(600)
@pytest.mark.parametrize("portion", range(PORTIONS))
async def test_the_index_ends_equal_to_the_drive(portion: int, database: Database) -> None:
    for seed in range(FIRST + portion, FIRST + HISTORIES, PORTIONS):
        print(f"history {seed}")  # noqa: T201 - shown when it fails
        async with asyncio.timeout(LONGEST_SECONDS):
            await _live_through(Upheaval(seed), seed, database)


@pytest.mark.parametrize("seed", REMEMBERED)
async def test_what_once_went_wrong_goes_well(seed: int, database: Database) -> None:
    async with asyncio.timeout(LONGEST_SECONDS):
        await _live_through(History(seed), seed, database)


@pytest.mark.parametrize("seed", REMEMBERED_UPHEAVALS)
async def test_what_once_went_wrong_in_upheavals_goes_well(seed: int, database: Database) -> None:
    async with asyncio.timeout(LONGEST_SECONDS):
        await _live_through(Upheaval(seed), seed, database)


async def _live_through(history: History, seed: int, database: Database) -> None:
    fuse = Fuse()
    fragile = cast("Database", FragileDatabase(database, fuse))
    record = await PipelineRecord.register(database, f"history-{seed}", "google_drive")
    record = PipelineRecord(fragile, record.key, record.pipeline_id, record.pipeline_type)
    async with FakeDriveServer(history.drive) as server, opened(server) as patient:
        client = replace(patient, page_size=history.page_size)
        fuse.attach(client)
        fuse.on_request = history.interfere

        def start() -> GoogleDriveWatcher:
            options = history.restart()
            return watcher_of(record, client, *history.roots, **options)

        watcher = start()
        for _ in range(history.random.randrange(1, 5)):
            fuse.left = history.random.choice((None, history.random.randrange(30)))
            try:
                await watcher.check()
            except Crash:
                watcher = start()
            except RagliveError as error:
                if error.code not in TROUBLES:
                    raise
            for _ in range(history.random.randrange(10)):
                history.step()
            history.drive.tick(history.random.randrange(4))
            if history.random.random() < 0.1:
                history.drive.expire_page_tokens()
        fuse.left, fuse.on_request = None, lambda: None
        history.drive.catch_up()
        await _settle(record, start())
    assert await indexed(record) == history.expected(), f"history {seed}"


async def _settle(record: PipelineRecord, watcher: GoogleDriveWatcher) -> None:
    """Check until nothing is held; what is meant to be gone is approved."""
    for _ in range(3):
        try:
            found = await watcher.check()
        except FolderUnavailable:
            return
        except RagliveError as error:
            raise AssertionError(error.message) from error
        if not found.held and not found.problem:
            return
        await approve_deletions(record.database, record.key)
