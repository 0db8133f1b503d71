"""After any history of a drive, and any crash of the pipeline, the index equals the drive."""

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
from tests.integration.sources.google_drive.faulty_histories import FaultyHistory
from tests.integration.sources.google_drive.histories import (
    Crash,
    CrashingDatabase,
    CrashPoint,
    History,
)
from tests.integration.sources.google_drive.root_histories import RootHistory

PORTIONS = 20  # of the histories, one test each, so that a run can draw some of them
TIMEOUT_SECONDS = 60
REGRESSIONS = (
    476,  # a file reported as removed by its old log after its folder moved to another log
    592,  # endless requests for the targets of two shortcuts
    978,  # a folder that moved to another log and back before its first change was read
    1926,  # a file created in a folder just before the folder moved to another log
    2125,  # a file that left and returned with a folder of another log
    3239,  # a shortcut's target that was trashed while the cursor was lost
)
ROOT_REGRESSIONS = (
    68,  # a shortcut in a deleted watched folder that restored its target repeatedly
    2631,  # pending listings of a shared drive that was left and is no longer watched
    377,  # deletions approved while the settings named another, missing folder
    5617,  # a folder moved into a shared drive of which the account is not a member
    6190,  # a shortcut's target in a watched folder that is no longer visible
    5089,  # a folder removed from the settings during a full listing that had found it
)
FAULTY_REGRESSIONS = (
    200663,  # files of a folder that moved between logs while listings were incomplete
)
HISTORIES = int(os.environ.get("RAGLIVE_TEST_HISTORIES") or 500)
FIRST = int(os.environ.get("RAGLIVE_TEST_FIRST_HISTORY") or 0)


@pytest.mark.drawn(2)
@pytest.mark.timeout(600)
@pytest.mark.parametrize("portion", range(PORTIONS))
async def test_the_index_ends_equal_to_the_drive(portion: int, database: Database) -> None:
    for seed in range(FIRST + portion, FIRST + HISTORIES, PORTIONS):
        print(f"history {seed}")  # noqa: T201 - shown on failure
        async with asyncio.timeout(TIMEOUT_SECONDS):
            history = FaultyHistory(seed) if seed % 4 // 2 else RootHistory(seed)
            await _run_history(history, seed, database)


@pytest.mark.parametrize("seed", REGRESSIONS)
async def test_regressions(seed: int, database: Database) -> None:
    async with asyncio.timeout(TIMEOUT_SECONDS):
        await _run_history(History(seed), seed, database)


@pytest.mark.parametrize("seed", ROOT_REGRESSIONS)
async def test_regressions_of_changing_roots(seed: int, database: Database) -> None:
    async with asyncio.timeout(TIMEOUT_SECONDS):
        await _run_history(RootHistory(seed), seed, database)


@pytest.mark.parametrize("seed", FAULTY_REGRESSIONS)
async def test_regressions_with_faults(seed: int, database: Database) -> None:
    async with asyncio.timeout(TIMEOUT_SECONDS):
        await _run_history(FaultyHistory(seed), seed, database)


async def _run_history(history: History, seed: int, database: Database) -> None:
    crash_point = CrashPoint()
    crashing = cast("Database", CrashingDatabase(database, crash_point))
    record = await PipelineRecord.register(database, f"history-{seed}", "google_drive")
    record = PipelineRecord(crashing, record.key, record.pipeline_id, record.pipeline_type)
    async with FakeDriveServer(history.drive) as server, opened(server) as drive:
        client = replace(drive, page_size=history.page_size)
        crash_point.attach(client)
        crash_point.on_request = history.interfere

        def start() -> GoogleDriveWatcher:
            options = history.watcher_options()
            return watcher_of(record, client, *history.roots, **options)

        watcher = start()
        for _ in range(history.random.randrange(1, 5)):
            crash_point.remaining = history.random.choice((None, history.random.randrange(30)))
            history.inject_faults(server)
            if not await _check(history, watcher, record):
                watcher = start()
            for _ in range(history.random.randrange(10)):
                history.step()
            history.drive.tick(history.random.randrange(4))
            if history.random.random() < 0.1:
                history.drive.expire_page_tokens()
        crash_point.remaining, crash_point.on_request = None, lambda: None
        server.google.faults.clear()
        history.drive.catch_up()
        await _sync_completely(record, start())
    assert await indexed(record) == history.expected(), f"history {seed}"


async def _check(history: History, watcher: GoogleDriveWatcher, record: PipelineRecord) -> bool:
    """Check once, and require that no file is deleted that the drive shows all the time.

    Returns False if the watcher crashed.
    """
    shown = history.expected().keys() & (await indexed(record)).keys()
    steps_done = history.steps_done
    has_crashed = False
    try:
        found = await watcher.check()
    except Crash:
        has_crashed = True
    except RagliveError as error:
        if error.code not in history.expected_errors:
            raise
    else:
        if found.held and history.approves():
            await approve_deletions(record.database, record.key)
    if history.steps_done == steps_done:
        assert shown <= (await indexed(record)).keys()
    return not has_crashed


async def _sync_completely(record: PipelineRecord, watcher: GoogleDriveWatcher) -> None:
    """Check until no deletion is held back, approving those that are."""
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
