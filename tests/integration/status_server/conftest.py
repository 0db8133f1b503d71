"""A status server on uvloop, uvicorn and Postgres, with its log captured."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator

import pytest
import structlog
import uvloop

from raglive.store.pool import Database
from tests.integration.status_server.serving import Serving, serving

NOISY = {"asyncpg"}  # logs errors while the database is away
LogLines = list[structlog.typing.EventDict]


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": uvloop.new_event_loop}


@pytest.fixture(autouse=True)
def log_lines(caplog: pytest.LogCaptureFixture) -> Iterator[LogLines]:
    """The captured log; an unexpected exception or error in it fails the test."""
    with structlog.testing.capture_logs() as lines:
        yield lines
    crashes = [line for line in lines if line["log_level"] == "error" or "exc_info" in line]
    crashes += [
        {"event": record.getMessage(), "log_level": "error"}
        for record in caplog.get_records("call") + caplog.get_records("teardown")
        if record.name.partition(".")[0] not in NOISY
        and (record.exc_info or record.levelno >= logging.ERROR)
    ]
    unexpected = [line for line in crashes if line["event"] != "log_broken"]
    assert not unexpected


@pytest.fixture
async def server(database: Database) -> AsyncIterator[Serving]:
    async with serving(database) as running:
        yield running
