"""A restored backup gets new epochs: no cursor of the lost events continues in it."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from raglive.bus.postgres import PostgresBus
from raglive.local_stack.embedded_postgres.binaries import find_binaries
from raglive.log_reader.followed_log import FollowedLog, LogBroken, LogCut
from raglive.log_reader.hints import HeadHints
from raglive.log_reader.reader import LogReader
from raglive.store.log.event_log import EventLog, Head, LoggedEvent
from raglive.store.migrate import check_schema, migrate
from raglive.store.origin import begin_epochs, identity_of_files
from raglive.store.pool import Database
from raglive_contract.cursor import Cursor, CursorExpired, Expiry, resume
from tests.database_server import at_database


async def publish(database: Database, count: int) -> None:
    for _ in range(count):
        await database.execute(
            "SELECT raglive.publish('theirs', 'pipeline:offline',"
            ' \'{"status": "offline", "shutdown_at": "2026-01-01T00:00:00Z", "reason": "error"}\','
            " null, 's3')"
        )


async def run(*command: str | Path) -> None:
    process = await asyncio.create_subprocess_exec(*command)
    assert await asyncio.wait_for(process.wait(), 60) == 0


@asynccontextmanager
async def pooled(dsn: str) -> AsyncIterator[Database]:
    database = await Database.connect(dsn, name="test", max_size=2)
    try:
        yield database
    finally:
        await database.close()


async def resumed(database: Database, cursor: Cursor) -> object:
    [head] = await EventLog(database).heads()
    return resume(cursor, head.range, [head.epoch])


async def cursor_of(database: Database) -> Cursor:
    return Cursor.of(head.position for head in await EventLog(database).heads())


async def test_a_restored_dump_is_another_epoch(dsn: str, server_dsn: str, tmp_path: Path) -> None:
    dump = tmp_path / "raglive.dump"
    programs = find_binaries()
    restored = at_database(server_dsn, f"raglive_restored_{os.getpid()}")
    name = restored.rpartition("/")[2]
    await check_schema(dsn)
    async with pooled(dsn) as database:
        await publish(database, 2)
        await run(programs.program("pg_dump"), "--format=custom", f"--file={dump}", dsn)
        await publish(database, 2)
        cursor = await cursor_of(database)
        await database.execute(f"CREATE DATABASE {name}")
    try:
        await run(programs.program("pg_restore"), "--no-comments", f"--dbname={restored}", dump)
        await check_schema(restored)
        async with pooled(restored) as database:
            await publish(database, 3)
            assert await resumed(database, cursor) == CursorExpired(Expiry.OTHER_EPOCH)
            again = await cursor_of(database)
            await check_schema(restored)
            assert await cursor_of(database) == again
    finally:
        connection = await asyncpg.connect(server_dsn)
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await connection.close()


async def test_restored_files_are_another_epoch(dsn: str, tmp_path: Path) -> None:
    original, copy = tmp_path / "original", tmp_path / "copy"
    original.mkdir()
    (original / "PG_VERSION").write_text("18\n")
    await run("cp", "-a", original, copy)
    async with pooled(dsn) as database:
        await publish(database, 1)
        before = await cursor_of(database)
        for _ in range(2):
            await migrate(dsn, identity_of_files(original))
        assert await cursor_of(database) == before
        await migrate(dsn, identity_of_files(copy))
        assert await resumed(database, before) == CursorExpired(Expiry.OTHER_EPOCH)


async def test_epochs_can_be_begun_by_hand(dsn: str) -> None:
    async with pooled(dsn) as database:
        await publish(database, 1)
        before = await cursor_of(database)
        async with database.connection() as connection:
            assert await begin_epochs(connection) == 1
        assert await resumed(database, before) == CursorExpired(Expiry.OTHER_EPOCH)


async def test_a_server_that_kept_running_notices(dsn: str) -> None:
    async with pooled(dsn) as database, PostgresBus(dsn) as bus:
        await publish(database, 4)
        before = await cursor_of(database)
        event_log = EventLog(database)
        ended: list[LogBroken | None] = []
        reader = LogReader(event_log, HeadHints(bus), _Log, lambda _, why: ended.append(why))
        await reader.read_all()
        await database.execute("DELETE FROM raglive.events WHERE seq > 2")
        await database.execute(
            "UPDATE raglive.heads SET seq = 2,"
            " digest = (SELECT digest FROM raglive.events WHERE seq = 2)"
        )
        await reader.read_all()
        await publish(database, 4)
        assert [type(why) for why in ended] == [LogCut]
        assert await resumed(database, before) == CursorExpired(Expiry.OTHER_EPOCH)


class _Log(FollowedLog):
    def __init__(self, head: Head) -> None:
        super().__init__(head, head.seq, head.digest)

    async def advance(self, events: list[LoggedEvent]) -> None:
        self.accept(events)
