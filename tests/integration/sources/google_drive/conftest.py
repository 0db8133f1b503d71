"""A fake drive in memory, served over HTTP, and a watcher of one of its folders."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from fake_google_drive.drive import FakeDrive
from fake_google_drive.server import FakeDriveServer
from raglive.sources.google_drive.client import DriveClient
from raglive.store.index.vector_space import choose_vector_space
from raglive.store.pool import Database
from raglive.store.registry.pipelines import PipelineRecord
from tests.conftest import VECTOR_SPACE
from tests.integration.sources.google_drive.drives import opened


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
