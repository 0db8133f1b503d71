"""Python, HTTP and row-level security give the same rights to the same token."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import jwt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raglive.store.access.revocations import revoke
from raglive.store.index.vector_space import choose_vector_space
from raglive.store.pool import Database
from raglive_contract.errors import RagliveError
from raglive_contract.permissions import Grant, Role
from tests.conftest import VECTOR_SPACE
from tests.integration.dashboard.serving import opened

ROLE = "raglive_test_reader"
PIPELINES = ["a", "ab", "a.b", "team-1", "team-2", "team_1", "Team-1", "x:y"]
SECRET = "for-tests-only-" * 3

globs = st.text("ab.*?_%[]!-\\1Te:", max_size=5) | st.sampled_from(
    ["*", "team-*", "team_?", "?", "a*b", *PIPELINES]
)
json_values = st.none() | st.booleans() | st.integers(-2, 2) | st.lists(globs | st.none())
rights = st.fixed_dictionaries(
    {},
    optional={
        "role": st.sampled_from([*Role, "root", "", None, 1]),
        "pipelines": globs | st.lists(globs, max_size=4) | json_values,
        "redact": st.booleans() | json_values,
    },
)
sound = st.fixed_dictionaries(
    {
        "role": st.sampled_from([Role.VIEWER, Role.OPERATOR, Role.ADMIN]),
        "pipelines": st.lists(globs, min_size=1, max_size=3),
    },
    optional={"redact": st.booleans()},
)
claims = st.builds(
    lambda stated: {"app_metadata": {"raglive": stated}}, sound | rights | json_values
)


@pytest.fixture
async def reader(database: Database) -> AsyncIterator[asyncpg.Connection]:
    """A connection with a role that has `grant_view`, and the claims of a token."""
    await choose_vector_space(database, VECTOR_SPACE)
    await database.execute(
        "DO $$ BEGIN PERFORM pg_advisory_xact_lock(hashtext('raglive tests: roles'));"
        f" IF to_regrole('{ROLE}') IS NULL THEN CREATE ROLE {ROLE} NOLOGIN;"
        f" GRANT {ROLE} TO CURRENT_USER; END IF; END $$"
    )
    await database.execute(
        f"SELECT raglive.grant_view('{ROLE}'); SELECT raglive.grant_view('{ROLE}')"
    )
    for name in PIPELINES:
        event = {"type": "file:processing", "attempt": 1, "processing_stage": "extraction"}
        event["file"] = {"id": "f", "name": "f.pdf", "started_at": "2026-01-02T03:04:05Z"}
        await database.fetch("SELECT raglive.publish_batch($1, $2, 'test')", name, [event])
    connection = await asyncpg.connect(database.dsn)
    await connection.execute(f"SET ROLE {ROLE}")
    yield connection
    await connection.close()


def signed(stated: dict[str, Any]) -> dict[str, Any]:
    whole = {"iss": "raglive", "sub": "me", "exp": int(time.time()) + 300, "iat": 1, "jti": "id"}
    return whole | stated


def by_python(stated: dict[str, Any]) -> tuple[list[str], bool]:
    try:
        grant = Grant.from_claims(stated)
    except RagliveError:
        return [], False
    seen = sorted(name for name in PIPELINES if grant.may_view(name))
    return seen, bool(seen) and not grant.redact


async def by_rows(reader: asyncpg.Connection, stated: dict[str, Any]) -> tuple[list[str], bool]:
    await reader.execute("SELECT set_config('request.jwt.claims', $1, false)", json.dumps(stated))
    seen = sorted(row[0] for row in await reader.fetch("SELECT pipeline_id FROM raglive.pipelines"))
    counts = {
        await reader.fetchval(f"SELECT count(*) FROM {table}")
        for table in ("raglive.heads", "raglive.events", "raglive.files")
    }
    counts.add(await reader.fetchval("SELECT count(status_details) FROM rag_pipeline_state"))
    for table in ("raglive.attempts", "raglive.chunks", "documents", "document_metadata"):
        await reader.fetch(f"SELECT * FROM {table}")
    assert counts in ({0}, {len(seen)}), "a pipeline is seen whole, or not at all"
    return seen, counts != {0}


async def test_python_http_and_sql_agree_on_random_rights(
    database: Database, reader: asyncpg.Connection
) -> None:
    tried: list[dict[str, Any]] = []

    @settings(max_examples=120, database=None)
    @given(claims)
    def collect(stated: dict[str, Any]) -> None:
        tried.append(stated)

    collect()
    viewing = 0
    async with opened(database, signed_in=False) as http:
        for stated in tried:
            expected = by_python(stated)
            viewing += bool(expected[0])
            assert await by_rows(reader, signed(stated)) == expected, stated
            token = jwt.encode(signed(stated), SECRET, algorithm="HS256")
            answer = await http.get("/api/pipelines", headers={"Authorization": f"Bearer {token}"})
            shown = answer.json().get("pipelines", [])
            assert sorted(one["pipeline_id"] for one in shown) == expected[0], stated
            named = any("f.pdf" in json.dumps(one) for one in shown)
            assert named is expected[1], stated
    assert viewing > 10


async def test_a_revoked_token_reads_no_rows(
    database: Database, reader: asyncpg.Connection
) -> None:
    grant = signed(Grant(Role.VIEWER, ("*",)).claims())
    later = grant | {"iat": int(time.time()) + 60, "jti": "other"}
    assert (await by_rows(reader, grant))[1]
    await revoke(database, token_id="id", revoked_by="test")
    assert await by_rows(reader, grant) == ([], False)
    assert (await by_rows(reader, grant | {"jti": "other"}))[1]
    await revoke(database, subject="me", revoked_by="test")
    assert await by_rows(reader, grant | {"jti": "other"}) == ([], False)
    assert (await by_rows(reader, later))[1]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT watch_state FROM raglive.pipelines",
        "SELECT * FROM raglive.revocations",
        "SELECT * FROM raglive.operator_acts",
        "DELETE FROM raglive.events",
        "UPDATE raglive.heads SET seq = 0",
        "INSERT INTO raglive.revocations (token_id, revoked_by) VALUES ('x', 'x')",
        f"SELECT raglive.grant_view('{ROLE}')",
        "SELECT raglive.publish('a', 'status:update', '{\"changes\": {}}')",
    ],
)
async def test_a_reader_role_can_only_read(reader: asyncpg.Connection, statement: str) -> None:
    await by_rows(reader, signed(Grant(Role.ADMIN, ("*",)).claims()))
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await reader.execute(statement)


async def test_without_claims_there_is_nothing_to_see(reader: asyncpg.Connection) -> None:
    for stated in ("", "{}", "null", "[]"):
        await reader.execute("SELECT set_config('request.jwt.claims', $1, false)", stated)
        assert await reader.fetchval("SELECT count(*) FROM raglive.pipelines") == 0
