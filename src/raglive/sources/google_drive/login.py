"""The OAuth flow of a user: consent in a browser, received on the loopback address."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx
import orjson

from raglive.sources.google_drive.credentials import (
    GOOGLE_TOKEN_URI,
    SCOPE,
    read_json,
)
from raglive.sources.google_drive.errors import (
    AuthRequired,
    CredentialsInvalid,
    DriveUnavailable,
)

__all__ = ["OAuthClient", "log_in"]

CONSENT_SECONDS = 300.0
REQUEST_SECONDS = 30.0
_AUTH_URI = "https://accounts.google.com/o/oauth2/v2/auth"
_ANSWER = (
    "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nConnection: close\r\n\r\n"
    "<!doctype html><title>raglive</title><p>{text}</p>"
)


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """An OAuth client of the type Desktop app."""

    client_id: str
    client_secret: str = field(repr=False)
    auth_uri: str
    token_uri: str

    @classmethod
    def read(cls, given: str) -> OAuthClient:
        """Parse the client, given as JSON or by its path. Raises `CredentialsInvalid`."""
        key = read_json(given)
        found = key.get("installed") or key.get("web")
        if not isinstance(found, dict) or not {"client_id", "client_secret"} <= found.keys():
            raise CredentialsInvalid(
                "This is not an OAuth client. Create one of the type Desktop app in the Google "
                "Cloud console, and download its JSON."
            )
        return cls(
            str(found["client_id"]),
            str(found["client_secret"]),
            str(found.get("auth_uri") or _AUTH_URI),
            str(found.get("token_uri") or GOOGLE_TOKEN_URI),
        )


async def log_in(client: OAuthClient, token_file: Path, show: Callable[[str], None]) -> None:
    """Pass the address of the consent page to `show`, and save the token with mode 0600.

    Raises `AuthRequired` without a consent within five minutes.
    """
    consent = _Consent()
    server = await asyncio.start_server(consent.answer, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        redirect = f"http://127.0.0.1:{port}/"
        show(_address(client, consent, redirect))
        try:
            async with asyncio.timeout(CONSENT_SECONDS):
                code = await consent.code
        except TimeoutError:
            raise AuthRequired("No consent was given within five minutes. Try again.") from None
    token = await _exchange(client, consent, code, redirect)
    await asyncio.to_thread(_save, token_file, client, token)


class _Consent:
    """A pending request for consent."""

    def __init__(self) -> None:
        self.state = secrets.token_urlsafe(24)
        self.verifier = secrets.token_urlsafe(48)
        self.code: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the browser's request; one without the right `state` is ignored."""
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                line = await reader.readline()
            status, text = self._handle(line.decode("latin-1"))
            writer.write(_ANSWER.format(status=status, text=text).encode())
            await writer.drain()
        except (TimeoutError, OSError, ValueError):
            pass
        finally:
            writer.close()

    def _handle(self, request_line: str) -> tuple[str, str]:
        target = [*request_line.split(" "), ""][1]
        query = {name: values[0] for name, values in parse_qs(urlsplit(target).query).items()}
        if not secrets.compare_digest(query.get("state", "").encode(), self.state.encode()):
            return "404 Not Found", "Not found."
        if self.code.done():
            return "200 OK", "This request was already answered."
        if "code" in query:
            self.code.set_result(query["code"])
            return "200 OK", "raglive may now read Google Drive. You can close this page."
        self.code.set_exception(AuthRequired("The user denied raglive access to Google Drive."))
        return "200 OK", "Access was denied. You can close this page."


def _address(client: OAuthClient, consent: _Consent, redirect: str) -> str:
    challenge = hashlib.sha256(consent.verifier.encode()).digest()
    asked = {
        "client_id": client.client_id,
        "redirect_uri": redirect,
        "response_type": "code",
        "scope": SCOPE,
        "access_type": "offline",
        "prompt": "consent",
        "state": consent.state,
        "code_challenge": base64.urlsafe_b64encode(challenge).rstrip(b"=").decode(),
        "code_challenge_method": "S256",
    }
    return f"{client.auth_uri}?{urlencode(asked)}"


async def _exchange(
    client: OAuthClient, consent: _Consent, code: str, redirect: str
) -> dict[str, Any]:
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect,
        "client_id": client.client_id,
        "client_secret": client.client_secret,
        "code_verifier": consent.verifier,
    }
    try:
        async with httpx.AsyncClient(timeout=REQUEST_SECONDS) as http:
            answer = await http.post(client.token_uri, data=form)
            found = answer.json()
    except (httpx.HTTPError, ValueError) as error:
        raise DriveUnavailable(
            f"Google's token endpoint does not answer ({type(error).__name__})."
        ) from None
    if not isinstance(found, dict) or "refresh_token" not in found:
        code = str(found.get("error", "no refresh token")) if isinstance(found, dict) else "?"
        raise AuthRequired(f"Google issued no token ({code[:100]}). Run the login again.")
    return found


def _save(path: Path, client: OAuthClient, token: dict[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_name(f"{path.name}.{os.getpid()}.new")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(
            orjson.dumps(
                {
                    "type": "authorized_user",
                    "client_id": client.client_id,
                    "client_secret": client.client_secret,
                    "refresh_token": token["refresh_token"],
                    "token_uri": client.token_uri,
                }
            )
        )
    draft.replace(path)
