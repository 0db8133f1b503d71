"""Signing in with the one-time secret, and what is answered without a token."""

from __future__ import annotations

import asyncio
import stat
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest
from httpx import AsyncClient, Response

from raglive.local_stack.data_folder import DataFolder
from raglive.local_stack.sign_in import SignInSecret
from raglive.store.pool import Database
from raglive_contract.http import SignedIn, SystemState
from raglive_contract.permissions import Grant, Role
from tests.integration.dashboard.serving import TOKENS, bearer, opened

URL = "http://127.0.0.1:3000"
NOT_DIRECT: tuple[Mapping[str, str], ...] = (
    {"X-Forwarded-For": "127.0.0.1"},
    {"X-Forwarded-Host": "127.0.0.1"},
    {"X-Forwarded-Proto": "http"},
    {"X-Real-IP": "127.0.0.1"},
    {"Forwarded": "for=127.0.0.1"},
    {"Via": "1.1 proxy"},
    {"CF-Connecting-IP": "127.0.0.1"},
    {"Host": "docs.example"},
    {"Origin": "http://evil.example"},
    {"Origin": "http://127.0.0.1:8103"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"},
)


@pytest.fixture
def secret(tmp_path: Path) -> SignInSecret:
    """The one-time secret of a data folder."""
    folder = DataFolder(tmp_path)
    folder.prepare()
    made = SignInSecret(folder)
    made.replace()
    return made


@pytest.fixture
async def browser(database: Database, secret: SignInSecret) -> AsyncIterator[AsyncClient]:
    """A browser on the same machine that is not signed in."""
    async with opened(
        database,
        signed_in=False,
        use_sign_in_secret=secret.use,
        RAGLIVE_ALLOWED_HOSTS="docs.example",
    ) as client:
        yield client


async def sign_in(browser: AsyncClient, given: str, **headers: str) -> Response:
    return await browser.post("/api/sign-in", json={"secret": given}, headers=headers)


def read(secret: SignInSecret) -> str:
    return secret.address(URL).removeprefix(f"{URL}/#sign-in=")


async def test_a_secret_gives_an_operator_for_a_month_once(
    browser: AsyncClient, secret: SignInSecret
) -> None:
    used = read(secret)
    answer = await sign_in(browser, used, Origin=URL)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    identity = await TOKENS.verify(SignedIn.model_validate(answer.json()).token)
    assert identity.grant == Grant(Role.OPERATOR, ("*",))
    assert identity.token_id
    assert 29 * 86_400 < identity.expires_at - time.time() <= 30 * 86_400 + 1
    again = await sign_in(browser, used)
    assert again.status_code == 401
    assert "`raglive open`" in again.json()["error"]["message"]
    assert len(read(secret)) >= 43
    assert read(secret) != used
    assert stat.S_IMODE(secret.file.stat().st_mode) == 0o600


async def test_of_concurrent_uses_one_wins(browser: AsyncClient, secret: SignInSecret) -> None:
    used = read(secret)
    answers = await asyncio.gather(*(sign_in(browser, used) for _ in range(8)))
    assert sorted(answer.status_code for answer in answers) == [200] + [401] * 7


async def test_a_secret_is_refused_through_a_proxy_or_from_another_page(
    browser: AsyncClient, secret: SignInSecret
) -> None:
    for headers in NOT_DIRECT:
        assert (await sign_in(browser, read(secret), **headers)).status_code == 403, headers
        assert (await browser.get("/api/session", headers=headers)).status_code == 401, headers
    assert (await sign_in(browser, read(secret))).status_code == 200


async def test_another_machine_and_a_server_without_a_secret_refuse(
    database: Database, secret: SignInSecret
) -> None:
    async with opened(database, client="10.0.0.7", use_sign_in_secret=secret.use) as http:
        assert (await sign_in(http, read(secret))).status_code == 403
    async with opened(database) as http:
        assert (await sign_in(http, read(secret))).status_code == 401


async def test_attempts_are_limited(browser: AsyncClient) -> None:
    statuses = [(await sign_in(browser, "wrong")).status_code for _ in range(12)]
    assert (statuses[0], statuses[-1]) == (401, 429)


async def test_a_probe_needs_no_token_and_sees_the_state_only(browser: AsyncClient) -> None:
    answer = await browser.get("/api/health")
    assert answer.json().keys() == SystemState.model_fields.keys()
    assert answer.headers["X-Health-Status"] == answer.json()["status"]
    assert "services" in (await browser.get("/api/health", headers=bearer("*"))).json()
    assert (await browser.get("/api/health", headers={"Authorization": "x"})).status_code == 401


async def test_another_user_of_the_machine_needs_a_token(browser: AsyncClient) -> None:
    for path in ("rag-status", "session", "socket/info", "pipelines", "search?q=x"):
        assert (await browser.get(f"/api/{path}")).status_code == 401, path
    for path in ("socket/test", "pipelines/x/retry"):
        assert (await browser.post(f"/api/{path}", json={})).status_code == 401, path
