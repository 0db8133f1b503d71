"""A status server, a reporter's settings, and access to the log."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from raglive.store.pool import Database
from raglive_reporter import DeliveryIntervals
from tests.integration.reporter.status_process import (
    PIPELINE,
    StatusProcess,
    producer_token,
    status_process,
)

QUICK = DeliveryIntervals(heartbeat=0.2, progress=0.01, poll=0.02, first_retry=0.01, max_retry=0.1)

Settings = dict[str, Any]
ReadLog = Callable[..., Awaitable[list[dict[str, Any]]]]


@pytest.fixture
async def server(dsn: str, tmp_path: Path) -> AsyncIterator[StatusProcess]:
    async with status_process(dsn, tmp_path) as running:
        yield running


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The settings of a reporter, without the address."""
    return {
        "pipeline_type": "web_crawler",
        "token": producer_token(),
        "outbox": tmp_path / "outbox.sqlite3",
        "intervals": QUICK,
        "close_seconds": 60,
    }


@pytest.fixture
def read_log(database: Database) -> ReadLog:
    """A function that returns the durable events of a pipeline in order."""

    async def read(pipeline_id: str = PIPELINE, within: int = 0) -> list[dict[str, Any]]:
        """Return the events, once there are at least `within`."""
        async with asyncio.timeout(60):
            while True:
                rows = await database.fetch(
                    "SELECT seq, id, type, file_id, payload FROM raglive.events "
                    "JOIN raglive.pipelines USING (pipeline_key) WHERE pipeline_id = $1 "
                    "ORDER BY seq",
                    pipeline_id,
                )
                if len(rows) >= within:
                    return [dict(row) for row in rows]
                await asyncio.sleep(0.02)

    return read
