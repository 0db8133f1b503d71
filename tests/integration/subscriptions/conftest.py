"""A hub on a test's own database."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from raglive.bus.postgres import PostgresBus
from raglive.store.log.event_log import EventLog
from raglive.store.pool import Database
from tests.integration.subscriptions.room import Room, following


@pytest.fixture
async def room(database: Database) -> AsyncIterator[Room]:
    async with PostgresBus(database.dsn) as bus, following(EventLog(database), bus, database) as it:
        yield it
