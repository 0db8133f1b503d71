"""A user's consent, with an HTTP client instead of a browser."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from fake_google_drive import FakeDrive, FakeDriveServer
from tests.integration.fake_google_drive.conftest import ANN

VERIFIER = "v" * 43
BACK = "http://127.0.0.1:1/"


async def ask(client: dict[str, Any], **changed: str) -> dict[str, str]:
    """Return the parameters of the redirect."""
    asked = {
        "client_id": client["client_id"],
        "redirect_uri": BACK,
        "response_type": "code",
        "scope": "https://www.googleapis.com/auth/drive.readonly",
        "access_type": "offline",
        "state": "s",
        "code_challenge": urlsafe_b64encode(sha256(VERIFIER.encode()).digest())
        .decode()
        .rstrip("="),
        "code_challenge_method": "S256",
        **changed,
    }
    async with httpx.AsyncClient() as browser:
        answer = await browser.get(client["auth_uri"], params=asked)
    if answer.status_code != 302:
        return {"refused": answer.text}
    assert answer.headers["location"].startswith(BACK)
    query = parse_qs(urlsplit(answer.headers["location"]).query)
    return {name: values[0] for name, values in query.items()}


async def exchange(client: dict[str, Any], code: str, **changed: str) -> dict[str, Any]:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": BACK,
        "code_verifier": VERIFIER,
        **{name: client[name] for name in ("client_id", "client_secret")},
        **changed,
    }
    async with httpx.AsyncClient() as http:
        found: dict[str, Any] = (await http.post(client["token_uri"], data=form)).json()
        return found


@pytest.fixture
def client(server: FakeDriveServer) -> dict[str, Any]:
    server.google.oauth.consents.user = ANN
    found: dict[str, Any] = json.loads(server.client_json())["installed"]
    return found


async def test_a_code_is_exchanged_for_tokens_once(
    server: FakeDriveServer, client: dict[str, Any]
) -> None:
    back = await ask(client)
    assert back["state"] == "s"
    tokens = await exchange(client, back["code"])
    grant = server.google.oauth.grant(tokens["access_token"])
    assert grant is not None
    assert grant.user == ANN
    again = await exchange(
        client, "", grant_type="refresh_token", refresh_token=tokens["refresh_token"]
    )
    assert again["access_token"] != tokens["access_token"]
    assert (await exchange(client, back["code"]))["error"] == "invalid_grant"


async def test_a_refused_consent_yields_no_code(
    server: FakeDriveServer, client: dict[str, Any]
) -> None:
    server.google.oauth.consents.user = None
    assert (await ask(client))["error"] == "access_denied"


@pytest.mark.parametrize(
    "changed", [{"client_id": "other"}, {"redirect_uri": "https://evil.example/"}]
)
async def test_an_unknown_client_or_redirect_is_refused(
    client: dict[str, Any], changed: dict[str, str]
) -> None:
    assert "refused" in await ask(client, **changed)


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"code_verifier": "guess"}, "invalid_grant"),
        ({"redirect_uri": "http://127.0.0.1:2/"}, "invalid_grant"),
        ({"client_secret": "guess"}, "invalid_client"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
    ],
)
async def test_a_stolen_code_is_refused(
    client: dict[str, Any], changed: dict[str, str], error: str
) -> None:
    code = (await ask(client))["code"]
    assert (await exchange(client, code, **changed))["error"] == error


async def test_a_code_expires() -> None:
    clock = [1_700_000_000.0]
    async with FakeDriveServer(FakeDrive(now=lambda: clock[0])) as server:
        server.google.oauth.consents.user = ANN
        client = json.loads(server.client_json())["installed"]
        code = (await ask(client))["code"]
        clock[0] += 601
        assert (await exchange(client, code))["error"] == "invalid_grant"
