from __future__ import annotations

import time
from typing import Any

import pytest
from httpx import AsyncClient

from raglive.store.pool import Database
from raglive_contract.http import Session
from raglive_contract.permissions import Grant, Role
from tests.integration.dashboard.serving import PUBLIC_STATUS_URL, TOKENS, bearer, opened

PATH = "/api/session"
ANY_HOST = {"RAGLIVE_ALLOWED_HOSTS": "*"}


async def session(http: AsyncClient, **headers: str) -> Session:
    answer = await http.get(PATH, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    return Session.model_validate(answer.json())


async def test_a_caller_gets_its_own_rights_and_expiry(http: AsyncClient) -> None:
    given = await session(http, **bearer("team-*", role=Role.OPERATOR))
    assert given.token is not None
    assert given.expires_at is not None
    identity = await TOKENS.verify(given.token)
    assert (identity.subject, identity.grant) == ("me", Grant(Role.OPERATOR, ("team-*",)))
    assert 295 < identity.expires_at - time.time() < 301
    assert given.expires_at.timestamp() == identity.expires_at
    assert (given.role, given.may_operate) == (Role.OPERATOR, True)
    assert given.websocket.path == "/socket.io"


@pytest.mark.parametrize(
    ("environment", "host", "url"),
    [
        ({}, "127.0.0.1:3000", PUBLIC_STATUS_URL),
        ({"RAGLIVE_STATUS_URL": ""}, "localhost:3000", "http://127.0.0.1:8103"),
        (
            {"RAGLIVE_STATUS_URL": "", "RAGLIVE_HOST": "0.0.0.0", "SOCKET_IO_PORT": "8200"},
            "127.0.0.1:3000",
            "http://127.0.0.1:8200",
        ),
        (
            {"RAGLIVE_STATUS_URL": "", "RAGLIVE_HOST": "::"},
            "[2001:db8::1]:3000",
            "http://[2001:db8::1]:8103",
        ),
        ({"RAGLIVE_STATUS_URL": "."}, "127.0.0.1:3000", "http://127.0.0.1:9"),
        ({"RAGLIVE_STATUS_URL": "."} | ANY_HOST, "rag.example", "."),
        ({"RAGLIVE_STATUS_URL": "https://rag.example/rag/"}, "127.0.0.1:3000", PUBLIC_STATUS_URL),
    ],
)
async def test_the_page_gets_the_address_of_the_status_server(
    database: Database, environment: dict[str, Any], host: str, url: str
) -> None:
    async with opened(database, **environment) as http:
        given = await session(http, Host=host, **bearer("*"))
        assert given.websocket.url == url


async def test_the_path_of_socket_io_is_below_that_of_the_address(database: Database) -> None:
    async with opened(database, RAGLIVE_STATUS_URL=f"{PUBLIC_STATUS_URL}/rag") as http:
        given = await session(http, **bearer("*"))
        assert given.websocket.path == "/rag/socket.io"


async def test_a_page_behind_a_proxy_on_this_machine_is_not_told_a_local_address(
    database: Database,
) -> None:
    async with opened(database, RAGLIVE_STATUS_URL=".") as http:
        given = await session(http, **{"X-Forwarded-For": "203.0.113.7"}, **bearer("*"))
        assert given.websocket.url == "."
