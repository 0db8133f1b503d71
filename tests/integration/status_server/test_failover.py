"""A standby takes over from the primary server while everything runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import asyncpg

from raglive.store.errors import STORE_ERRORS
from raglive.store.log.event_log import EventLog
from raglive.store.migrate import migrate
from raglive.store.pool import Database
from raglive_contract.cursor import CursorExpired, Expiry, parse_cursor, resume
from tests.integration.status_server.serving import publish, serving, update
from tests.integration.status_server.watching import Viewer, watching
from tests.replication import Server, address, running_pair

BACK_SECONDS = 10.0
REPLICATED = 5
LOST = 3  # events that the old primary server takes with it
NEW = 5  # events after the failover: some have the numbers of those that were lost

Pair = tuple[Server, Server]


@asynccontextmanager
async def following(pair: Pair) -> AsyncIterator[Database]:
    """Connect to whichever server takes commits."""
    places = (server.place for server in pair)
    dsn = address(*places) + "?target_session_attrs=read-write"
    await migrate(dsn)
    database = await Database.connect(dsn, name="test")
    try:
        yield database
    finally:
        await database.close()


async def test_viewers_go_on_within_seconds(tmp_path: Path) -> None:
    async with (
        running_pair(tmp_path) as pair,
        following(pair) as database,
        serving(database) as server,
        watching(server.url) as viewer,
    ):
        await published(database, REPLICATED)
        await viewer.subscribe()
        lost = await publish_and_lag(pair, database)
        await viewer.until(lambda: lost in cursors(viewer))
        async with asyncio.timeout(BACK_SECONDS):
            await fail_over(pair)
            while (cursor := await published(database, 1)) not in cursors(viewer):
                await asyncio.sleep(0.05)
        assert epoch_of(cursor) != epoch_of(lost)
        epochs = [epoch_of(one) for one in cursors(viewer)]
        assert epochs == sorted(epochs, key=epochs.index), "nothing of the old log comes after"


async def test_lost_commits_are_never_a_silent_gap(tmp_path: Path) -> None:
    """No process follows the log and sees that it does not continue."""
    async with running_pair(tmp_path) as pair, following(pair) as database:
        await published(database, REPLICATED)
        lost = await publish_and_lag(pair, database)
        await fail_over(pair)
        await published(database, NEW)
        [head] = await EventLog(database).heads()
        outcome = resume(parse_cursor(lost), head.range, [head.epoch])
        assert outcome == CursorExpired(Expiry.OTHER_EPOCH)


async def publish_and_lag(pair: Pair, database: Database) -> str:
    """Publish what the standby does not get any more; return the cursor."""
    _, standby = pair
    await replicated(standby.dsn)
    await standby.stop()
    return await published(database, LOST)


async def fail_over(pair: Pair) -> None:
    primary, standby = pair
    await primary.stop()
    await standby.start()
    standby.promote()


async def published(database: Database, events: int) -> str:
    """Publish until the database takes it; return the cursor."""
    while True:
        try:
            return await publish(database, [update() for _ in range(events)])
        except STORE_ERRORS:
            await asyncio.sleep(0.05)


async def replicated(dsn: str) -> None:
    """Wait until a standby has what was published first."""
    standby = await Database.connect(dsn, name="standby")
    found = None
    async with asyncio.timeout(BACK_SECONDS):
        while found != REPLICATED:
            with suppress(asyncpg.UndefinedTableError):  # the schema is replicated too
                found = await standby.fetchval("SELECT max(seq) FROM raglive.heads")
    await standby.close()


def cursors(viewer: Viewer) -> list[str]:
    return [event["cursor"] for event in viewer.durable()]


def epoch_of(cursor: str) -> str:
    return cursor.partition(".")[0]
