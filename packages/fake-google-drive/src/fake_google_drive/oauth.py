"""Google's authorization: who may ask for a token, and whose Drive a token opens."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import jwt

from fake_google_drive.consent import ConsentRefused, Consents
from fake_google_drive.keys import new_key, public_key

__all__ = ["Grant", "OAuth", "OAuthError"]

TOKEN_SECONDS = 3599
ASSERTION_SECONDS = 3600
# Google's own libraries write this audience whatever the key's `token_uri`.
GOOGLE_TOKEN_URI = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SERVICE_ACCOUNT = "raglive@fake-project.iam.gserviceaccount.com"
CLIENT_ID = "1234567890-fake.apps.googleusercontent.com"
CLIENT_SECRET = "GOCSPX-fake"  # noqa: S105 - opens nothing but this double
_DRIVE = "https://www.googleapis.com/auth/drive"
READ_SCOPE = f"{_DRIVE}.readonly"
READ_SCOPES = frozenset({_DRIVE, READ_SCOPE})
METADATA_SCOPES = READ_SCOPES | {f"{_DRIVE}.metadata", f"{_DRIVE}.metadata.readonly"}


class OAuthError(Exception):
    """A refusal of the token endpoint."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(f"{error}: {description}")
        self.error = error
        self.description = description
        self.status = status

    def body(self) -> dict[str, str]:
        """Return the answer's JSON."""
        return {"error": self.error, "error_description": self.description}


@dataclass(frozen=True, slots=True)
class Grant:
    """What an access token opens."""

    user: str
    scopes: frozenset[str]
    expires: float

    @property
    def reads_metadata(self) -> bool:
        """Say whether this reaches names and places."""
        return not self.scopes.isdisjoint(METADATA_SCOPES)

    @property
    def reads_content(self) -> bool:
        """Say whether this reaches contents."""
        return not self.scopes.isdisjoint(READ_SCOPES)


class OAuth:
    """A service account, which may act for every user, and users' own refresh tokens.

    `impersonation` off is a domain that has not delegated to the service account. `now` gives
    seconds, `is_user` knows e-mail addresses.
    """

    def __init__(
        self,
        now: Callable[[], float],
        is_user: Callable[[str], bool],
        private_key: str | None = None,
    ) -> None:
        self.impersonation = True
        self.token_seconds = TOKEN_SECONDS
        self.consents = Consents(CLIENT_ID, now)
        self._now = now
        self._is_user = is_user
        self._private_pem = private_key or new_key()
        self._public_key = public_key(self._private_pem)
        self._grants: dict[str, Grant] = {}
        self._refresh_tokens: dict[str, tuple[str, frozenset[str]]] = {}

    def service_account(self, token_uri: str) -> str:
        """Return the service account's key, as the JSON file that Google gives."""
        account = {
            "type": "service_account",
            "project_id": "fake-project",
            "private_key_id": "fake-key",
            "private_key": self._private_pem,
            "client_email": SERVICE_ACCOUNT,
            "client_id": "100000000000000000000",
            "auth_uri": "https://accounts.google.com/o/oauth2/auth",
            "token_uri": token_uri,
            "universe_domain": "googleapis.com",
        }
        return json.dumps(account, indent=2)

    def authorized_user(self, user: str, token_uri: str) -> str:
        """Return a user's own credentials with a new refresh token, as Google's tools keep them."""
        return json.dumps(
            {
                "type": "authorized_user",
                "client_id": CLIENT_ID,
                "client_secret": CLIENT_SECRET,
                "refresh_token": self._refreshable(user, frozenset({READ_SCOPE})),
                "token_uri": token_uri,
                "universe_domain": "googleapis.com",
            }
        )

    def desktop_client(self, auth_uri: str, token_uri: str) -> str:
        """Return the OAuth client that asks users for consent, as the JSON that Google gives."""
        client = {
            "client_id": CLIENT_ID,
            "project_id": "fake-project",
            "auth_uri": auth_uri,
            "token_uri": token_uri,
            "client_secret": CLIENT_SECRET,
            "redirect_uris": ["http://localhost"],
        }
        return json.dumps({"installed": client})

    def exchange(self, form: Mapping[str, str], token_uri: str) -> dict[str, Any]:
        """Answer the token endpoint; raise `OAuthError`."""
        match form.get("grant_type"):
            case grant if grant == JWT_BEARER:
                user, scopes = self._assertion(form.get("assertion", ""), token_uri)
            case "refresh_token":
                user, scopes = self._refresh(form)
            case "authorization_code":
                return self._redeem(form)
            case other:
                raise OAuthError("unsupported_grant_type", f"Invalid grant_type: {other}")
        return self._issue(user, scopes)

    def access_token(self, user: str, scope: str = READ_SCOPE) -> str:
        """Return an access token for a user, without asking for credentials."""
        return str(self._issue(user, frozenset({scope}))["access_token"])

    def grant(self, access_token: str) -> Grant | None:
        """Return what a token opens; `None` when it is wrong or expired."""
        grant = self._grants.get(access_token)
        return grant if grant is not None and self._now() < grant.expires else None

    def expire_access_tokens(self) -> None:
        """Let every access token given so far be refused."""
        self._grants.clear()

    def revoke(self, user: str) -> None:
        """Let a user's tokens be refused; the next refresh is `invalid_grant`."""
        held = self._refresh_tokens.items()
        self._refresh_tokens = {token: given for token, given in held if given[0] != user}
        grants = self._grants.items()
        self._grants = {token: grant for token, grant in grants if grant.user != user}

    def _assertion(self, assertion: str, token_uri: str) -> tuple[str, frozenset[str]]:
        try:
            claims = jwt.decode(
                assertion,
                self._public_key,
                algorithms=["RS256"],
                audience=[token_uri, GOOGLE_TOKEN_URI],
                issuer=SERVICE_ACCOUNT,
                options={"require": ["exp", "iat", "iss", "aud"]},
                leeway=300,
            )
        except jwt.InvalidSignatureError:
            raise OAuthError("invalid_grant", "Invalid JWT Signature.") from None
        except jwt.PyJWTError as error:
            raise OAuthError("invalid_grant", f"Invalid JWT: {error}") from None
        if claims["exp"] - claims["iat"] > ASSERTION_SECONDS:
            raise OAuthError(
                "invalid_grant",
                "Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable "
                "timeframe. Check your iat and exp values in the JWT claim.",
            )
        return self._subject(claims), _scopes(claims)

    def _subject(self, claims: Mapping[str, Any]) -> str:
        user = str(claims.get("sub") or SERVICE_ACCOUNT)
        if user != SERVICE_ACCOUNT and not self.impersonation:
            raise OAuthError(
                "unauthorized_client",
                "Client is unauthorized to retrieve access tokens using this method, or client "
                "not authorized for any of the scopes requested.",
                401,
            )
        if user != SERVICE_ACCOUNT and not self._is_user(user):
            raise OAuthError("invalid_grant", "Invalid email or User ID")
        return user

    def _refresh(self, form: Mapping[str, str]) -> tuple[str, frozenset[str]]:
        _require_client(form)
        given = self._refresh_tokens.get(form.get("refresh_token", ""))
        if given is None:
            raise OAuthError("invalid_grant", "Token has been expired or revoked.")
        return given

    def _redeem(self, form: Mapping[str, str]) -> dict[str, Any]:
        _require_client(form)
        try:
            consent = self.consents.redeem(form)
        except ConsentRefused as error:
            raise OAuthError("invalid_grant", str(error)) from None
        answer = self._issue(consent.user, consent.scopes)
        if consent.is_offline:
            answer["refresh_token"] = self._refreshable(consent.user, consent.scopes)
        return answer

    def _refreshable(self, user: str, scopes: frozenset[str]) -> str:
        token = f"1//{secrets.token_urlsafe(32)}"
        self._refresh_tokens[token] = user, scopes
        return token

    def _issue(self, user: str, scopes: frozenset[str]) -> dict[str, Any]:
        token = f"ya29.{secrets.token_urlsafe(48)}"
        self._grants[token] = Grant(user, scopes, self._now() + self.token_seconds)
        return {
            "access_token": token,
            "expires_in": self.token_seconds,
            "token_type": "Bearer",
            "scope": " ".join(sorted(scopes)),
        }


def _require_client(form: Mapping[str, str]) -> None:
    if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
        raise OAuthError("invalid_client", "The OAuth client was not found.", 401)


def _scopes(claims: Mapping[str, Any]) -> frozenset[str]:
    scopes = frozenset(str(claims.get("scope", "")).split())
    if not scopes:
        raise OAuthError("invalid_scope", "Empty or missing scope not allowed.")
    return scopes
