"""Google's authorization server: credentials, tokens, scopes and revocation."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from fake_google_drive.consent import ConsentRefused, Consents

__all__ = ["AccessGrant", "OAuth", "OAuthError"]

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
    """The token endpoint refuses a request."""

    def __init__(self, error: str, description: str, status: int = 400) -> None:
        super().__init__(f"{error}: {description}")
        self.error = error
        self.description = description
        self.status = status

    def body(self) -> dict[str, str]:
        """Return the JSON body of the response."""
        return {"error": self.error, "error_description": self.description}


@dataclass(frozen=True, slots=True)
class AccessGrant:
    """The user and the scopes of an access token."""

    user: str
    scopes: frozenset[str]
    expires: float

    @property
    def reads_metadata(self) -> bool:
        """Whether the scopes include reading metadata."""
        return not self.scopes.isdisjoint(METADATA_SCOPES)

    @property
    def reads_content(self) -> bool:
        """Whether the scopes include reading contents."""
        return not self.scopes.isdisjoint(READ_SCOPES)

    @property
    def writes(self) -> bool:
        """Whether the scopes include changes."""
        return _DRIVE in self.scopes


class OAuth:
    """A service account that may act for every user, and users with refresh tokens.

    Without `impersonation`, the domain has not delegated to the service account. `now` returns
    seconds; `is_user` tells whether an e-mail address is a user's.
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
        self._private_pem = private_key or _new_key()
        self._public_key = _public_key(self._private_pem)
        self._grants: dict[str, AccessGrant] = {}
        self._refresh_tokens: dict[str, tuple[str, frozenset[str]]] = {}

    def service_account(self, token_uri: str) -> str:
        """Return the service account's key file as Google issues it."""
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
        """Return a user's credentials with a new refresh token, in the format of Google's tools."""
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
        """Return the client file of a desktop app as Google issues it."""
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
        """Exchange credentials for a token. Raises `OAuthError`."""
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
        """Return an access token for a user without credentials."""
        return str(self._issue(user, frozenset({scope}))["access_token"])

    def grant(self, access_token: str) -> AccessGrant | None:
        """Return a token's grant, or `None` if it is wrong or expired."""
        grant = self._grants.get(access_token)
        return grant if grant is not None and self._now() < grant.expires else None

    def expire_access_tokens(self) -> None:
        """Make all access tokens expire."""
        self._grants.clear()

    def revoke(self, user: str) -> None:
        """Revoke a user's tokens; the next refresh answers `invalid_grant`."""
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
        self._grants[token] = AccessGrant(user, scopes, self._now() + self.token_seconds)
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


@cache
def _new_key() -> str:
    """Return a private key in PEM form, the same in a process because creating one is slow."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    return pem.decode()


@cache
def _public_key(private_pem: str) -> rsa.RSAPublicKey:
    """Return the public key. Raises `ValueError` for other than an RSA key."""
    key = serialization.load_pem_private_key(private_pem.encode(), password=None)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ValueError("The service account's key is not an RSA key.")  # noqa: TRY004 - a value
    return key.public_key()
