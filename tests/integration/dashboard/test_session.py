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


async def session(http: AsyncClient, **headers: str) -> Session:
    answer = await http.get(PATH, headers=headers)
    assert answer.status_code == 200, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    return Session.model_validate(answer.json())


async def test_on_one_machine_the_page_gets_a_viewers_token(http: AsyncClient) -> None:
    given = await session(http)
    assert given.token is not None
    assert given.expires_at is not None
    identity = await TOKENS.verify(given.token)
    assert identity.grant == Grant(Role.VIEWER, ("*",))
    assert 595 < identity.expires_at - time.time() < 601
    assert given.expires_at.timestamp() == identity.expires_at
    assert given.role is Role.VIEWER
    assert given.websocket.path == "/socket.io"


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"client": "10.0.0.7"},
        {"ENVIRONMENT": "production"},
        {"client": "10.0.0.7", "ENVIRONMENT": "production"},
    ],
)
async def test_a_remote_caller_gets_its_own_rights_and_expiry(
    database: Database, elsewhere: dict[str, Any]
) -> None:
    async with opened(database, **elsewhere) as http:
        assert (await http.get(PATH)).status_code == 401
        given = await session(http, **bearer("team-*", role=Role.OPERATOR))
        assert given.token is not None
        identity = await TOKENS.verify(given.token)
        assert (identity.subject, identity.grant) == ("me", Grant(Role.OPERATOR, ("team-*",)))
        assert identity.expires_at <= time.time() + 301


@pytest.mark.parametrize(
    "headers",
    [
        {"X-Forwarded-For": "8.8.8.8"},
        {"Forwarded": "for=8.8.8.8"},
        {"X-Real-IP": "8.8.8.8"},
        {"Host": "docs.example"},
    ],
)
async def test_behind_a_proxy_is_elsewhere(database: Database, headers: dict[str, str]) -> None:
    async with opened(database, RAGLIVE_ALLOWED_HOSTS="docs.example") as http:
        assert (await http.get(PATH, headers=headers)).status_code == 401


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
    ],
)
async def test_the_page_gets_the_address_of_the_status_server(
    database: Database, environment: dict[str, Any], host: str, url: str
) -> None:
    async with opened(database, **environment) as http:
        given = await session(http, Host=host, **bearer("*"))
        assert given.websocket.url == url
