"""Signed tokens: verification, issuing, and the identity that a token carries."""

from __future__ import annotations

import math
import re
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NoReturn

import jwt
from uuid6 import uuid7

from raglive.http_api.key_set import ALGORITHMS, KeySet
from raglive_contract.errors import ErrorCode, RagliveError
from raglive_contract.permissions import Grant
from raglive_contract.redaction import Redaction

__all__ = ["SUPABASE_AUDIENCE", "Identity", "Issuer", "Tokens"]

ISSUER = "raglive"
SUPABASE_AUDIENCE = "authenticated"
MAX_TOKEN_CHARACTERS = 16 * 1024
MAX_VERIFIED = 1000  # tokens that are remembered
MIN_SECRET_BYTES = 32
MAX_SUBJECT_CHARACTERS = 255
LATEST = 253402300799  # 9999-12-31T23:59:59Z

_FORM = re.compile(r"[\w-]+\.[\w-]+\.[\w-]*", re.ASCII)
_UNREADABLE = (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError)


@dataclass(frozen=True, slots=True)
class Identity:
    """The subject of a token and its rights.

    Times are Unix seconds; `issued_at` is 0 for a token without `iat`.
    """

    subject: str
    grant: Grant
    expires_at: float
    token_id: str | None
    issued_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Issuer:
    """Another accepted issuer: exactly this `iss`, for this `aud`, signed by one of these keys."""

    name: str
    audience: str
    keys: KeySet


@dataclass(frozen=True, slots=True)
class _Key:
    secret: Any
    algorithm: str
    issuer: str | None
    audience: str | None

    def decode(self, token: str) -> dict[str, Any]:
        return jwt.decode(
            token,
            self.secret,
            algorithms=[self.algorithm],
            issuer=self.issuer,
            audience=self.audience,
            options={"require": ["exp", "sub"], "verify_iat": False},
        )


class Tokens:
    """Verifies tokens of raglive's secret, of a Supabase project and of other issuers' keys.

    Tokens that it issues are signed with raglive's secret. Each key verifies its own algorithm
    only, so that a public key cannot be used as the secret of HMAC. Raises `settings_invalid` for
    a secret that is too short.
    """

    def __init__(
        self, local_secret: str, supabase_secret: str | None = None, issuers: Sequence[Issuer] = ()
    ) -> None:
        local = _secret(local_secret, "The local signing secret")
        self._local = _Key(local, "HS256", ISSUER, None)
        self._secrets = [self._local]
        if supabase_secret is not None:
            secret = _secret(supabase_secret, "SUPABASE_JWT_SECRET")
            self._secrets.append(_Key(secret, "HS256", None, SUPABASE_AUDIENCE))
        self._issuers = {issuer.name: issuer for issuer in issuers}
        self._verified: OrderedDict[str, Identity] = OrderedDict()

    async def verify(self, token: str) -> Identity:
        """Verify a token.

        What a token of a secret says changes only when it expires, so it is remembered: a page that
        polls sends the same one each second. Keys of other issuers may be withdrawn. Raises
        `unauthenticated`, `token_expired`, `forbidden` for a token without rights, and
        `unavailable` when its issuer's keys cannot be read.
        """
        known = self._verified.get(token)
        if known is not None and time.time() < int(known.expires_at):
            self._verified.move_to_end(token)
            return known
        self._verified.pop(token, None)
        return await self._read(token)

    def issue(
        self, grant: Grant, ttl_seconds: float, subject: str, *, like: Identity | None = None
    ) -> str:
        """Issue a token for `subject`; its lifetime is rounded up to a second.

        A revocation of the token `like` also revokes this one.
        """
        now = time.time()
        claims = {
            "iss": ISSUER,
            "sub": subject,
            "iat": int(like.issued_at if like else now),
            "exp": math.ceil(now + ttl_seconds),
            "jti": (like.token_id if like else None) or str(uuid7()),
            **grant.claims(),
        }
        return jwt.encode(claims, self._local.secret, algorithm="HS256")

    def redaction(self) -> Redaction:
        """Make the redaction of names; equal for every process with the same local secret."""
        return Redaction(self._local.secret)

    async def _read(self, token: str) -> Identity:
        if len(token) > MAX_TOKEN_CHARACTERS:
            raise _refused(f"it is longer than {MAX_TOKEN_CHARACTERS} characters")
        if _FORM.fullmatch(token) is None:  # the decoder ignores characters outside base64
            raise _refused("it cannot be read")
        header = _header(token)
        if header.get("alg") not in ALGORITHMS:
            identity = self._verified[token] = _identity(_checked(self._secrets, token))
            if len(self._verified) > MAX_VERIFIED:
                self._verified.popitem(last=False)
            return identity
        issuer = self._issuers.get(_stated_issuer(token))
        if issuer is None:
            raise _refused("its issuer is not accepted here")
        key = await issuer.keys.find(header.get("kid"))
        if key is None or key.algorithm != header["alg"]:
            raise _refused("its issuer has no such key")
        keys = [_Key(key.key, key.algorithm, issuer.name, issuer.audience)]
        return _identity(_checked(keys, token))


def _header(token: str) -> dict[str, Any]:
    try:
        return jwt.get_unverified_header(token)
    except _UNREADABLE:
        raise _refused("it cannot be read") from None


def _stated_issuer(token: str) -> str:
    """Read the issuer to choose its keys; nothing else is read before verification."""
    with suppress(*_UNREADABLE):
        return str(jwt.decode(token, options={"verify_signature": False}).get("iss"))
    return ""


def _checked(keys: Sequence[_Key], token: str) -> dict[str, Any]:
    for key in keys:
        try:
            return key.decode(token)
        except (jwt.InvalidSignatureError, jwt.InvalidIssuerError):
            continue
        except _UNREADABLE as error:
            _refuse(error)
    raise _refused("its signature matches no key that is accepted here")


def _refuse(error: Exception) -> NoReturn:
    match error:
        case jwt.ExpiredSignatureError():
            raise RagliveError(
                "The token has expired. Get a new one.", code=ErrorCode.TOKEN_EXPIRED
            ) from None
        case jwt.ImmatureSignatureError():
            raise _refused("it is not valid yet, or a clock is wrong") from None
        case jwt.InvalidAudienceError():
            raise _refused("it is for another audience") from None
        case jwt.MissingRequiredClaimError(claim=claim):
            raise _refused(f"it has no claim `{claim}`") from None
    raise _refused("it is not accepted here") from None


def _identity(claims: Mapping[str, Any]) -> Identity:
    token_id, subject = claims.get("jti"), str(claims["sub"])
    if len(subject) > MAX_SUBJECT_CHARACTERS:
        raise _refused(f"its subject is longer than {MAX_SUBJECT_CHARACTERS} characters")
    if not isinstance(claims["exp"], int | float):
        raise _refused("its `exp` is not a number")
    return Identity(
        subject=subject,
        grant=Grant.from_claims(claims),
        expires_at=_unix_seconds(claims["exp"]),
        token_id=token_id if isinstance(token_id, str) else None,
        issued_at=_unix_seconds(claims.get("iat")),
    )


def _unix_seconds(stated: object) -> float:
    if not isinstance(stated, int | float) or stated != stated:  # noqa: PLR0124 - NaN
        return 0.0
    return float(min(max(stated, 0), LATEST))


def _secret(secret: str, name: str) -> bytes:
    encoded = secret.encode()
    if len(encoded) < MIN_SECRET_BYTES:
        raise RagliveError(
            f"{name} is too short: at least {MIN_SECRET_BYTES} bytes are needed.",
            code=ErrorCode.SETTINGS_INVALID,
        )
    return encoded


def _refused(why: str) -> RagliveError:
    return RagliveError(
        f"The token is refused: {why}. `raglive token` makes one.", code=ErrorCode.UNAUTHENTICATED
    )
