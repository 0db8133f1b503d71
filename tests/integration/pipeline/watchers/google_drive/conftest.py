"""A drive in memory, served over HTTP, and a watcher of a folder in it."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from raglive.database.pipelines import PipelineRecord
from raglive.database.pool import Database
from raglive.database.vector_space import choose_vector_space
from raglive.fake_drive.drive import FakeDrive
from raglive.fake_drive.server import FakeDriveServer
from raglive.pipeline.watchers.google_drive.client import DriveClient
from tests.conftest import VECTOR_SPACE
from tests.integration.pipeline.watchers.google_drive.drives import opened


@pytest.fixture
def drive() -> FakeDrive:
    return FakeDrive()


@pytest.fixture
async def server(drive: FakeDrive) -> AsyncIterator[FakeDriveServer]:
    async with FakeDriveServer(drive) as server:
        yield server


@pytest.fixture
async def client(server: FakeDriveServer) -> AsyncIterator[DriveClient]:
    async with opened(server) as client:
        yield client


@pytest.fixture
async def record(database: Database) -> PipelineRecord:
    await choose_vector_space(database, VECTOR_SPACE)
    return await PipelineRecord.register(database, "google-drive-pipeline", "google_drive")
