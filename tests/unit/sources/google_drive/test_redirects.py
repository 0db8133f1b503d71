"""Redirects of downloads: which servers are asked, and which of them get the access token."""

from __future__ import annotations

import httpx
import pytest

from raglive.sources.google_drive.credentials import TokenSource, read_credentials
from raglive.sources.google_drive.errors import TransferFailed
from raglive.sources.google_drive.transport import DriveTransport, RetryPolicy

API = "https://www.googleapis.com/drive/v3/files/1?alt=media"
TOKEN_URI = "https://oauth2.googleapis.com/token"
USER = """{"type": "authorized_user", "client_id": "a", "client_secret": "b",
           "refresh_token": "c"}"""


class Servers:
    """Answers every address; those in `redirects` lead elsewhere."""

    def __init__(self, redirects: dict[str, str]) -> None:
        self.redirects = redirects
        self.asked: dict[str, bool] = {}  # whether with the token, by host

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if str(request.url) == TOKEN_URI:
            return httpx.Response(200, json={"access_token": "t", "expires_in": 3600})
        self.asked[request.url.host] = "authorization" in request.headers
        leads_to = self.redirects.get(str(request.url))
        if leads_to is not None:
            return httpx.Response(302, headers={"Location": leads_to})
        return httpx.Response(200, content=b"content")


async def _download(servers: Servers, url: str) -> bytes:
    async with httpx.AsyncClient(transport=httpx.MockTransport(servers)) as http:
        tokens = TokenSource(read_credentials(USER), http)
        transport = DriveTransport(http, tokens, retry=RetryPolicy(attempts=1))
        async with transport.stream("GET", url, "download") as answer:
            return await answer.aread()


async def test_the_token_stays_with_the_server_that_it_was_sent_to() -> None:
    servers = Servers({API: "https://doc-0s.googleusercontent.com/docs/x"})
    assert await _download(servers, API) == b"content"
    assert servers.asked == {"www.googleapis.com": True, "doc-0s.googleusercontent.com": False}


@pytest.mark.parametrize(
    "leads_to",
    [
        "https://elsewhere.example/x",
        "https://google.com.elsewhere.example/x",
        "https://evilgoogle.com/x",
        "http://docs.google.com/x",
        "https://accounts.google.com/ServiceLogin",
        API,  # endlessly
    ],
)
async def test_other_servers_are_not_asked(leads_to: str) -> None:
    servers = Servers({API: leads_to})
    with pytest.raises(TransferFailed, match="redirected"):
        await _download(servers, API)
    assert servers.asked.keys() == {"www.googleapis.com"}


async def test_an_address_of_another_server_is_not_asked() -> None:
    servers = Servers({})
    with pytest.raises(TransferFailed):
        await _download(servers, "https://elsewhere.example/x")
    assert servers.asked == {}
