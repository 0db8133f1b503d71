"""A dashboard server on a test's own database."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from httpx import AsyncClient

from raglive.store.pool import Database
from raglive.store.registry.pipelines import PipelineRecord
from tests.integration.dashboard.serving import Work, opened


@pytest.fixture
async def http(database: Database) -> AsyncIterator[AsyncClient]:
    """A client on the same machine as the dashboard, with an operator's token."""
    async with opened(database) as client:
        yield client


@pytest.fixture
def work(pipeline: PipelineRecord) -> Work:
    """The files of the local-files pipeline, in states that tests choose."""
    return Work(pipeline)
