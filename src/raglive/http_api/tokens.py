"""Signed tokens: who calls, with which rights, until when."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass
from typing import Any

import jwt
from uuid6 import uuid7

from raglive.contract.errors import ErrorCode, RagliveError
from raglive.contract.permissions import Grant

__all__ = ["Identity", "Tokens"]

ISSUER = "raglive"
SUPABASE_AUDIENCE = "authenticated"
MAX_TOKEN_CHARACTERS = 16 * 1024
LEAST_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a token speaks for; `expires_at` in Unix seconds."""

    subject: str
    grant: Grant
    expires_at: float
    token_id: str | None


@dataclass(frozen=True, slots=True)
class _Key:
    secret: bytes
    issuer: str | None
    audience: str | None

    def decode(self, token: str) -> dict[str, Any]:
        return jwt.decode(
            token,
            self.secret,
            algorithms=["HS256"],
            issuer=self.issuer,
            audience=self.audience,
            options={"require": ["exp", "sub"], "verify_iat": False},
        )


class Tokens:
    """Checks tokens of raglive's own key and of a Supabase project's, and issues the former.

    Raises `settings_invalid` for a secret that is too short to sign with.
    """

    def __init__(self, local_secret: str, supabase_secret: str | None = None) -> None:
        self._local = _Key(_strong(local_secret, "The local signing secret"), ISSUER, None)
        self._keys = [self._local]
        if supabase_secret is not None:
            secret = _strong(supabase_secret, "SUPABASE_JWT_SECRET")
            self._keys.append(_Key(secret, None, SUPABASE_AUDIENCE))

    def verify(self, token: str) -> Identity:
        """Return whom the token speaks for.

        Raises `unauthenticated`, `token_expired`, or `forbidden` for one that gives no rights.
        """
        claims = self._claims(token)
        token_id = claims.get("jti")
        return Identity(
            subject=str(claims["sub"]),
            grant=Grant.from_claims(claims),
            expires_at=float(claims["exp"]),
            token_id=token_id if isinstance(token_id, str) else None,
        )

    def issue(self, grant: Grant, ttl_seconds: float, subject: str) -> str:
        """Return a token for `subject` that ends after `ttl_seconds`, rounded up to a second."""
        now = time.time()
        claims = {
            "iss": ISSUER,
            "sub": subject,
            "iat": int(now),
            "exp": math.ceil(now + ttl_seconds),
            "jti": str(uuid7()),
            **grant.claims(),
        }
        return jwt.encode(claims, self._local.secret, algorithm="HS256")

    def _claims(self, token: str) -> dict[str, Any]:
        if len(token) > MAX_TOKEN_CHARACTERS:
            raise _refused(f"it is longer than {MAX_TOKEN_CHARACTERS} characters")
        for key in self._keys:
            try:
                return key.decode(token)
            except jwt.ExpiredSignatureError:
                raise RagliveError(
                    "The token has expired. Get a new one.", code=ErrorCode.TOKEN_EXPIRED
                ) from None
            except (jwt.InvalidSignatureError, jwt.InvalidIssuerError):
                continue
            except jwt.MissingRequiredClaimError as error:
                raise _refused(f"it has no claim `{error.claim}`") from None
            except (jwt.PyJWTError, ValueError, OverflowError, RecursionError):
                raise _refused("it is not a token that is accepted here") from None
        raise _refused("its signature is of none of the keys that are accepted here")


def _strong(secret: str, name: str) -> bytes:
    encoded = secret.encode()
    if len(encoded) < LEAST_SECRET_BYTES:
        raise RagliveError(
            f"{name} is too short: at least {LEAST_SECRET_BYTES} bytes are needed.",
            code="settings_invalid",
        )
    return encoded


def _refused(why: str) -> RagliveError:
    return RagliveError(
        f"The token is refused: {why}. `raglive token` makes one.", code=ErrorCode.UNAUTHENTICATED
    )
