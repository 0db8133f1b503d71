"""The public API roles of a hosted Postgres can read nothing of raglive."""

from __future__ import annotations

from collections.abc import AsyncIterator

import asyncpg
import pytest

from raglive.store.index.vector_space import VectorSpace, choose_vector_space
from raglive.store.migrate import migrate
from raglive.store.pool import Database

OURS = "('raglive'::regnamespace, 'public'::regnamespace)"
RELATIONS = f"""
SELECT oid::regclass::text AS thing FROM pg_class
WHERE relnamespace IN {OURS} AND relkind IN ('r', 'v')
  AND has_table_privilege($1, oid, 'SELECT, INSERT, UPDATE, DELETE')
"""
FUNCTIONS = f"""
SELECT oid::regprocedure::text AS thing FROM pg_proc
WHERE pronamespace IN {OURS} AND has_function_privilege($1, oid, 'EXECUTE')
  AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_proc.oid AND deptype = 'e')
"""


@pytest.fixture
async def hosted_dsn(empty_dsn: str) -> AsyncIterator[str]:
    """A database that grants new objects of `public` to API roles, as Supabase does."""
    connection = await asyncpg.connect(empty_dsn)
    try:
        await connection.execute("SELECT pg_advisory_lock(hashtext('raglive tests: roles'))")
        for role in ("anon", "authenticated"):
            if not await connection.fetchval("SELECT true FROM pg_roles WHERE rolname = $1", role):
                await connection.execute(f"CREATE ROLE {role} NOLOGIN")
            for things in ("TABLES", "FUNCTIONS", "SEQUENCES"):
                await connection.execute(
                    f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON {things} TO {role}"
                )
        await connection.execute("SELECT pg_advisory_unlock_all()")
        await migrate(empty_dsn)
        yield empty_dsn
    finally:
        await connection.close()


@pytest.mark.parametrize("role", ["anon", "authenticated"])
async def test_api_roles_can_read_change_and_call_nothing(hosted_dsn: str, role: str) -> None:
    database = await Database.connect(hosted_dsn, name="test")
    try:
        await choose_vector_space(database, VectorSpace("builtin", "builtin", 256))
        assert not await database.fetchval(
            "SELECT has_schema_privilege($1, 'raglive', 'USAGE')", role
        )
        for query in (RELATIONS, FUNCTIONS):
            assert [row["thing"] for row in await database.fetch(query, role)] == []
        unguarded = await database.fetch(
            "SELECT relname FROM pg_class WHERE relnamespace = 'raglive'::regnamespace"
            " AND relkind = 'r' AND NOT relrowsecurity"
        )
        assert [row["relname"] for row in unguarded] == []
    finally:
        await database.close()
