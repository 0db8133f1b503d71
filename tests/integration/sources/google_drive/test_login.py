"""The OAuth login: the token is saved with mode 0600, and forged requests are ignored."""

from __future__ import annotations

import asyncio
import json
import stat
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from raglive.sources.google_drive.credentials import read_credentials
from raglive.sources.google_drive.login import OAuthClient, log_in
from raglive_contract.errors import RagliveError


@pytest.fixture
async def asked() -> asyncio.Queue[str]:
    return asyncio.Queue()


async def _token_endpoint(answer: dict[str, str], forms: list[str]) -> asyncio.Server:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        length = int(head.partition("content-length: ")[2].partition("\r\n")[0])
        forms.append((await reader.readexactly(length)).decode())
        body = json.dumps(answer)
        writer.write(
            f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}"
            .encode()
        )  # fmt: skip
        await writer.drain()
        writer.close()

    return await asyncio.start_server(handle, "127.0.0.1", 0)


def _client(server: asyncio.Server) -> OAuthClient:
    port = server.sockets[0].getsockname()[1]
    installed = {
        "client_id": "id",
        "client_secret": "hush",
        "token_uri": f"http://127.0.0.1:{port}/token",
    }
    return OAuthClient.read(json.dumps({"installed": installed}))


async def test_the_token_is_stored_for_its_owner_only(
    tmp_path: Path, asked: asyncio.Queue[str]
) -> None:
    forms: list[str] = []
    server = await _token_endpoint({"refresh_token": "1//kept"}, forms)
    kept = tmp_path / "new" / "google.json"
    async with server, asyncio.timeout(20), httpx.AsyncClient() as browser:
        login = asyncio.create_task(log_in(_client(server), kept, asked.put_nowait))
        query = parse_qs(urlsplit(await asked.get()).query)
        redirect = query["redirect_uri"][0]
        forged = await browser.get(redirect, params={"code": "theirs", "state": "guessed"})
        assert forged.status_code == 404
        await browser.get(redirect, params={"code": "ours", "state": query["state"][0]})
        await login
    assert "code=ours" in forms[0]
    assert "code_verifier=" in forms[0]
    assert query["scope"] == ["https://www.googleapis.com/auth/drive.readonly"]
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert read_credentials(str(kept)).form()["refresh_token"] == "1//kept"


async def test_a_refusal_keeps_nothing(tmp_path: Path, asked: asyncio.Queue[str]) -> None:
    server = await _token_endpoint({}, [])
    kept = tmp_path / "google.json"
    async with server, asyncio.timeout(20), httpx.AsyncClient() as browser:
        login = asyncio.create_task(log_in(_client(server), kept, asked.put_nowait))
        query = parse_qs(urlsplit(await asked.get()).query)
        denied = {"error": "access_denied", "state": query["state"][0]}
        await browser.get(query["redirect_uri"][0], params=denied)
        with pytest.raises(RagliveError) as refused:
            await login
    assert refused.value.code == "auth_required"
    assert not kept.exists()
