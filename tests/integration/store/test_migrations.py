from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from unittest.mock import AsyncMock
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import pytest

from raglive.store import migrate as migrations
from raglive.store.migrate import MigrationError, all_migrations, check_schema, migrate
from raglive_contract.errors import RagliveError
from tests.database_server import connected

SCHEMA = Path(__file__).with_name("schema.sql").read_text("utf-8")


async def schema_of(dsn: str) -> list[tuple[Any, ...]]:
    async with connected(dsn) as connection:
        return [tuple(row) for row in await connection.fetch(SCHEMA)]


@pytest.fixture
def partial(monkeypatch: pytest.MonkeyPatch) -> None:
    """Permit a schema without its last migrations."""
    monkeypatch.setattr(migrations, "recognize_origin", AsyncMock())


@asynccontextmanager
async def a_user(dsn: str) -> AsyncIterator[str]:
    """Yield the address for a user who may connect and nothing else."""
    name = f"raglive_guest_{os.getpid()}_{uuid4().hex[:8]}"
    async with connected(dsn) as connection:
        await connection.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'guest'")
        try:
            place = urlsplit(dsn)
            guest = f"{name}:guest@{place.hostname}:{place.port}"
            yield urlunsplit(place._replace(netloc=guest))
        finally:
            await connection.execute(f"DROP ROLE {name}")


async def test_the_second_run_changes_nothing(empty_dsn: str) -> None:
    assert await migrate(empty_dsn) == all_migrations()
    before = await schema_of(empty_dsn)
    assert await migrate(empty_dsn) == []
    assert await schema_of(empty_dsn) == before
    await check_schema(empty_dsn)


async def test_runs_at_once_apply_each_migration_once(empty_dsn: str) -> None:
    applied = await asyncio.gather(*(migrate(empty_dsn) for _ in range(6)))
    versions = sorted(migration.version for run in applied for migration in run)
    assert versions == [migration.version for migration in all_migrations()]
    await check_schema(empty_dsn)


@pytest.mark.usefixtures("partial")
async def test_a_migrated_schema_equals_a_fresh_one(
    empty_dsn: str, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = all_migrations()
    for count in range(1, len(whole) + 1):
        monkeypatch.setattr(migrations, "all_migrations", lambda count=count: whole[:count])
        assert await migrate(empty_dsn) == [whole[count - 1]]
    assert await schema_of(empty_dsn) == await schema_of(dsn)


async def test_a_newer_schema_is_refused(dsn: str) -> None:
    async with connected(dsn) as connection:
        await connection.execute("INSERT INTO raglive.migrations VALUES (9999, 'later', 'x')")
    for run in (migrate, check_schema):
        with pytest.raises(MigrationError, match=r"schema 9999, made by a newer raglive"):
            await run(dsn)


async def test_other_migrations_of_the_same_number_are_refused(dsn: str) -> None:
    async with connected(dsn) as connection:
        await connection.execute("UPDATE raglive.migrations SET sha256 = 'x' WHERE version = 2")
    with pytest.raises(MigrationError, match="Migration 0002 of the database differs"):
        await migrate(dsn)


async def test_missing_migrations_are_reported(empty_dsn: str) -> None:
    with pytest.raises(MigrationError, match=f"lacks {len(all_migrations())} migration"):
        await check_schema(empty_dsn)


@pytest.mark.usefixtures("partial")
async def test_a_migration_fails_instead_of_waiting_long_for_a_lock(
    empty_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = all_migrations()
    monkeypatch.setattr(migrations, "LOCK_SECONDS", 0.1)
    monkeypatch.setattr(migrations, "all_migrations", lambda: whole[:3])
    await migrate(empty_dsn)
    monkeypatch.setattr(migrations, "all_migrations", lambda: whole)
    async with connected(empty_dsn) as other:
        async with other.transaction():
            await other.execute("LOCK TABLE raglive.files IN ROW EXCLUSIVE MODE")
            with pytest.raises(MigrationError, match="holds a lock") as refused:
                await migrate(empty_dsn)
        assert refused.value.retryable
    assert await migrate(empty_dsn) == whole[3:]


async def test_waiting_for_another_migration_is_bounded(
    empty_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "OTHER_PROCESS_SECONDS", 0.1)
    async with connected(empty_dsn) as other, other.transaction():
        await other.execute("SELECT pg_advisory_xact_lock($1)", migrations._LOCK)
        with pytest.raises(MigrationError, match="holds a lock"):
            await migrate(empty_dsn)


async def test_a_migration_that_fails_leaves_nothing_of_it(
    empty_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = migrations.Migration(1, "broken", "CREATE TABLE raglive.half (); SELECT 1 / 0")
    monkeypatch.setattr(migrations, "all_migrations", lambda: [broken])
    with pytest.raises(RagliveError, match=r"refused a statement \(DivisionByZeroError\)"):
        await migrate(empty_dsn)
    monkeypatch.undo()
    assert await migrate(empty_dsn) == all_migrations()


async def test_an_existing_table_with_the_same_name_is_not_changed(empty_dsn: str) -> None:
    async with connected(empty_dsn) as connection:
        await connection.execute("CREATE TABLE public.document_rows (mine integer)")
    with pytest.raises(MigrationError, match=r'is in the way: .*"document_rows"'):
        await migrate(empty_dsn)
    async with connected(empty_dsn) as connection:
        await connection.execute("TABLE public.document_rows")


async def test_a_user_without_rights_gets_the_reason(empty_dsn: str) -> None:
    async with a_user(empty_dsn) as guest:
        with pytest.raises(MigrationError, match="may not make the schema"):
            await migrate(guest)
