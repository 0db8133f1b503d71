"""Shared by the Google Drive tests: a client of the fake, a watcher, and its results."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fake_google_drive.drive import FakeDrive
from fake_google_drive.items import Item
from fake_google_drive.mime import FOLDER
from fake_google_drive.oauth import SERVICE_ACCOUNT
from fake_google_drive.server import FakeDriveServer
from raglive.sources.google_drive.client import DriveClient, open_drive
from raglive.sources.google_drive.credentials import read_credentials
from raglive.sources.google_drive.transport import RetryPolicy
from raglive.sources.google_drive.watcher import GoogleDriveWatcher
from raglive.store.registry.pipelines import PipelineRecord
from raglive_contract.backoff import Backoff

USER = SERVICE_ACCOUNT
IMPATIENT = RetryPolicy(attempts=3, backoff=Backoff(first_seconds=0.01, longest_seconds=0.02))

_FILES = """
SELECT file_id, name, folder, state, error, reason, problem, source ->> 'key' AS key
FROM raglive.files JOIN raglive.heads USING (pipeline_key)
WHERE pipeline_key = $1 AND state <> 'deleted'
"""


@asynccontextmanager
async def opened(server: FakeDriveServer) -> AsyncIterator[DriveClient]:
    credentials = read_credentials(server.credentials_json())
    async with open_drive(credentials, server.url, IMPATIENT) as client:
        yield client


def watcher_of(
    record: PipelineRecord, client: DriveClient, *folders: Item, **options: Any
) -> GoogleDriveWatcher:
    return GoogleDriveWatcher(
        record,
        client,
        [folder.id for folder in folders],
        check_interval_seconds=60,
        on_queued=lambda: None,
        **options,
    )


async def indexed(record: PipelineRecord) -> dict[str, tuple[str, str]]:
    """Return folder and name of each file that the registry has, by id."""
    rows = await record.database.fetch(_FILES, record.key)
    return {row["file_id"]: (row["folder"], row["name"]) for row in rows}


def expected(drive: FakeDrive, root: Item) -> dict[str, tuple[str, str]]:
    """Return the same, as the drive has it below one watched folder."""
    found: dict[str, tuple[str, str]] = {}
    for item in drive.files_under(root, USER):
        target = drive.tree.items.get(item.target_id or "") if item.is_shortcut else None
        if item.is_shortcut and item.target_mime_type == FOLDER:
            found[item.id] = (_path(drive, root, item), item.name)
        elif target is not None and not target.is_folder and not target.is_shortcut:
            is_there = drive.tree.is_visible(target, USER) and not drive.tree.is_trashed(target)
            if is_there:
                found.setdefault(target.id, (_path(drive, root, target), target.name))
        elif not item.is_folder and not item.is_shortcut:
            found[item.id] = (_path(drive, root, item), item.name)
    return found


def _path(drive: FakeDrive, root: Item, item: Item) -> str:
    names: list[str] = []
    for above in drive.tree.lineage(item):
        if above is root:
            return "/".join(reversed(names[1:]))
        names.append(above.name)
    return ""
