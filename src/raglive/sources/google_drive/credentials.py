"""Credentials (a service account's key or a user's refresh token) and their access tokens."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any, Protocol

import httpx
import jwt
import orjson

from raglive.sources.google_drive.errors import (
    AuthRequired,
    CredentialsInvalid,
    DriveUnavailable,
)

__all__ = [
    "GOOGLE_TOKEN_URI",
    "SCOPE",
    "Credentials",
    "TokenSource",
    "is_oauth_client",
    "read_credentials",
    "read_json",
]

SCOPE = "https://www.googleapis.com/auth/drive.readonly"
GOOGLE_TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
RENEW_BEFORE_EXPIRY_SECONDS = 300
_JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_CLIENTS = {"installed", "web"}
_NEEDS = {
    "service_account": ("client_email", "private_key"),
    "authorized_user": ("client_id", "client_secret", "refresh_token"),
}


class Credentials(Protocol):
    """Credentials that the token endpoint exchanges for an access token."""

    token_uri: str

    def form(self) -> dict[str, str]:
        """Return the form fields of a token request."""
        ...


class _ServiceAccount:
    def __init__(self, key: dict[str, Any], subject: str | None) -> None:
        self.token_uri: str = key.get("token_uri") or GOOGLE_TOKEN_URI
        self._key = key
        self._subject = subject

    def form(self) -> dict[str, str]:
        now = int(time.time())
        claims = {
            "iss": self._key["client_email"],
            "scope": SCOPE,
            "aud": self.token_uri,
            "iat": now,
            "exp": now + 3600,
        }
        if self._subject:
            claims["sub"] = self._subject
        headers = {"kid": str(self._key.get("private_key_id", ""))}
        try:
            signed = jwt.encode(claims, self._key["private_key"], "RS256", headers)
        except (ValueError, TypeError, jwt.PyJWTError):
            raise CredentialsInvalid(
                "The private_key of the service account is invalid. Download the key file again."
            ) from None
        return {"grant_type": _JWT_BEARER, "assertion": signed}


class _User:
    def __init__(self, key: dict[str, Any]) -> None:
        self.token_uri: str = key.get("token_uri") or GOOGLE_TOKEN_URI
        self._key = key

    def form(self) -> dict[str, str]:
        fields = {name: self._key[name] for name in _NEEDS["authorized_user"]}
        return {"grant_type": "refresh_token", **fields}


def read_credentials(given: str, impersonate: str | None = None) -> Credentials:
    """Parse credentials, given as JSON or as the path of a JSON file.

    Raises `CredentialsInvalid`, whose message never contains the input.
    """
    key = read_json(given)
    kind = key.get("type")
    if kind not in _NEEDS:
        what = "an OAuth client" if key.keys() & _CLIENTS else "neither"
        raise CredentialsInvalid(
            "The Google credentials must be a service account's key or a user's credentials; "
            f"this is {what}. For a user, run `raglive login google`."
        )
    missing = [name for name in _NEEDS[kind] if not isinstance(key.get(name), str) or not key[name]]
    if missing:
        raise CredentialsInvalid(f"The Google credentials lack {', '.join(missing)}.")
    return _ServiceAccount(key, impersonate) if kind == "service_account" else _User(key)


def is_oauth_client(given: str) -> bool:
    """Check for an OAuth client, which becomes a credential only by a user's consent."""
    try:
        return bool(read_json(given).keys() & _CLIENTS)
    except CredentialsInvalid:
        return False


def read_json(given: str) -> dict[str, Any]:
    """Parse a JSON object, given as JSON or by its path. Raises `CredentialsInvalid`."""
    text = given.strip()
    if not text.startswith("{"):
        try:
            text = Path(text).expanduser().read_text("utf-8")
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or "not a text file"
            raise CredentialsInvalid(
                f"The file of the Google credentials cannot be read: {why}. Set "
                "GOOGLE_DRIVE_CREDENTIALS_JSON to the JSON itself or to the path of the file."
            ) from None
    try:
        key = orjson.loads(text)
    except orjson.JSONDecodeError:
        key = None
    if not isinstance(key, dict):
        raise CredentialsInvalid("The Google credentials are not JSON. Download the key again.")
    return key


class TokenSource:
    """Caches the access token, and renews it before it expires with one request for all callers."""

    def __init__(self, credentials: Credentials, http: httpx.AsyncClient) -> None:
        self._credentials = credentials
        self._http = http
        self.scopes: frozenset[str] = frozenset()  # of the last token, if Google named them
        self._token = ""
        self._expires = 0.0
        self._lock = asyncio.Lock()

    async def token(self, refused: str = "") -> str:
        """Return a valid token, a new one if the cached one is `refused`.

        Raises `AuthRequired` when Google rejects the credentials, and `DriveUnavailable`.
        """
        async with self._lock:
            if time.monotonic() >= self._expires or self._token == refused:
                await self._renew()
            return self._token

    async def _renew(self) -> None:
        form = await asyncio.to_thread(self._credentials.form)
        try:
            answer = await self._http.post(self._credentials.token_uri, data=form)
        except httpx.HTTPError as error:
            raise DriveUnavailable(
                f"Google's token endpoint does not answer ({type(error).__name__})."
            ) from None
        found = _object(answer)
        if answer.status_code >= 500 or answer.status_code == 429 or not found:
            raise DriveUnavailable(
                f"Google's token endpoint answers {answer.status_code} without a token or a reason."
            )
        if answer.status_code != 200 or "access_token" not in found:
            raise AuthRequired(_refusal(found))
        self._token = str(found["access_token"])
        self.scopes = frozenset(str(found.get("scope", "")).split())
        lasts = float(found.get("expires_in", 3600))
        self._expires = time.monotonic() + max(lasts - RENEW_BEFORE_EXPIRY_SECONDS, lasts / 2)


def _object(answer: httpx.Response) -> dict[str, Any]:
    try:
        found = orjson.loads(answer.content)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


_ADVICE_BY_DESCRIPTION = {
    "Invalid email or User ID": "GOOGLE_DRIVE_IMPERSONATE_USER does not name a user of your Google "
    "Workspace. Correct it.",
    "reasonable timeframe": "The clock of this machine is wrong. Set it.",
    "Invalid JWT Signature": "The key of the service account was deleted. Create a new key.",
}


def _refusal(found: dict[str, Any]) -> str:
    code = str(found.get("error", "no reason"))[:100]
    described = str(found.get("error_description", ""))
    for part, advice in _ADVICE_BY_DESCRIPTION.items():
        if part in described:
            return f"Google refused the credentials ({code}). {advice}"
    advice_by_code = {
        "invalid_grant": "The key or the consent was revoked, or the clock is wrong. "
        "Create a new key, or run `raglive login google`.",
        "unauthorized_client": "Allow the service account to act for the user: delegate the "
        f"scope {SCOPE} to it in the Admin console.",
        "invalid_client": "The OAuth client was deleted. Create one, and run "
        "`raglive login google`.",
    }
    otherwise = "See docs/how-to/google-drive.md."
    return f"Google refused the credentials ({code}). {advice_by_code.get(code, otherwise)}"
