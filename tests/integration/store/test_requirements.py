"""A database that cannot be used is refused with one sentence: what, where, and what to do."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from raglive.app.installation import Installation
from raglive.settings import read_settings
from raglive.store.errors import DatabaseMisconfigured, DatabaseUnavailable, place_of
from raglive.store.migrate import MigrationError, check_schema, migrate
from raglive.store.requirements import ServerFacts
from tests.database_server import at_database, connected
from tests.replication import running_standby

FULL = """
CREATE FUNCTION public.fill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'could not extend file "base/1/2": No space left on device'
        USING ERRCODE = 'disk_full', HINT = 'Check free disk space.';
END $$;
CREATE TRIGGER fill BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION public.fill();
"""


async def refused(dsn: str) -> str:
    """Return the sentence with which both kinds of start refuse the database."""
    with pytest.raises(DatabaseMisconfigured) as checked:
        await check_schema(dsn)
    with pytest.raises(DatabaseMisconfigured) as migrated:
        await migrate(dsn)
    assert checked.value.message == migrated.value.message
    assert place_of(dsn) in checked.value.message
    return checked.value.message


async def test_a_role_without_rights(dsn: str) -> None:
    name = f"raglive_guest_{os.getpid()}"
    place = urlsplit(dsn)
    async with connected(dsn) as owner:
        await owner.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'guest'")
        try:
            guest = place._replace(netloc=f"{name}:guest@{place.hostname}:{place.port}").geturl()
            message = await refused(guest)
        finally:
            await owner.execute(f"DROP ROLE {name}")
    assert f"The user {name} has no rights" in message
    assert f"Set DATABASE_URL to the user {place.username}" in message


async def test_a_read_only_mode(dsn: str) -> None:
    async with connected(dsn) as owner:
        name = dsn.rpartition("/")[2]
        await owner.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    assert "in read-only mode" in await refused(dsn)


async def test_an_extension_that_is_missing(empty_dsn: str, server_dsn: str) -> None:
    bare = at_database(server_dsn, f"raglive_bare_{os.getpid()}")
    name = bare.rpartition("/")[2]
    async with connected(server_dsn) as owner:
        await owner.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        try:
            with pytest.raises(MigrationError, match="a superuser run CREATE EXTENSION vector"):
                await migrate(bare)
        finally:
            await owner.execute(f"DROP DATABASE {name} WITH (FORCE)")
    async with connected(empty_dsn) as owner:  # as of a server that has no files of pgvector
        facts = await ServerFacts.read(owner, empty_dsn)
    dropped = replace(facts, pgvector=None, owner="raglive")
    assert ["not the extension vector" in fault.message for fault in dropped.faults()] == [True]


async def test_other_versions(dsn: str) -> None:
    async with connected(dsn) as owner:
        facts = await ServerFacts.read(owner, dsn)
    assert not list(facts.faults())
    old = replace(facts, version="14.9", major=14, pgvector="0.7.4")
    server, extension = (fault.message for fault in old.faults())
    assert "is Postgres 14.9, and raglive needs 15 or newer" in server
    assert "has pgvector 0.7.4, and raglive needs 0.8 or newer" in extension


async def test_a_full_disk(dsn: str) -> None:
    async with connected(dsn) as owner:
        await owner.execute(FULL.format(table="raglive.operator_acts"))
    installation = Installation(read_settings({}), dsn, "secret" * 8)
    with pytest.raises(DatabaseUnavailable, match="no space left on its disk") as full:
        async with installation.database("test") as database:
            await database.execute("INSERT INTO raglive.operator_acts DEFAULT VALUES")
    assert place_of(dsn) in full.value.message
    assert "\n" not in full.value.message


async def test_a_standby(tmp_path: Path) -> None:
    async with running_standby(tmp_path / "postgres") as dsn:
        assert "is a standby, which is read-only. Set DATABASE_URL to its" in await refused(dsn)
