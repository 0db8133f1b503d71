"""The tokens that an installation issues, accepts and revokes."""

from __future__ import annotations

from collections.abc import Iterator

from raglive.app.installation import Installation, revealed
from raglive.http_api.key_set import KeySet
from raglive.http_api.tokens import SUPABASE_AUDIENCE, Issuer, Tokens
from raglive.settings import Settings
from raglive.store.access.revocations import revoke
from raglive_contract.errors import ErrorCode, RagliveError

__all__ = ["revoke_tokens", "tokens_of"]


def tokens_of(installation: Installation) -> Tokens:
    """Return the tokens of this installation, of its Supabase project and of another issuer."""
    secret = revealed(installation.settings.supabase_jwt_secret)
    return Tokens(installation.jwt_secret, secret, list(_issuers(installation.settings)))


def _issuers(settings: Settings) -> Iterator[Issuer]:
    if settings.supabase_url is not None:
        name = f"{settings.supabase_url}/auth/v1"
        yield Issuer(name, SUPABASE_AUDIENCE, KeySet(f"{name}/.well-known/jwks.json"))
    if settings.jwks_url and settings.jwt_issuer and settings.jwt_audience:
        yield Issuer(settings.jwt_issuer, settings.jwt_audience, KeySet(settings.jwks_url))


async def revoke_tokens(
    installation: Installation,
    *,
    token: str | None = None,
    token_id: str | None = None,
    subject: str | None = None,
    reason: str | None = None,
) -> str:
    """Revoke a token, or all of a subject until now; return what was revoked, in words.

    Raises `invalid_request` unless exactly one is named, and for a token without an id.
    """
    if sum(stated is not None for stated in (token, token_id, subject)) != 1:
        raise RagliveError(
            "Name exactly one of a token, its id, and a subject.", code=ErrorCode.INVALID_REQUEST
        )
    if token is not None:
        token_id = await _id_of(installation, token)
    async with installation.database("revoke", max_size=1) as database:
        await revoke(
            database, token_id=token_id, subject=subject, revoked_by="command-line", reason=reason
        )
    return f"the token {token_id}" if subject is None else f"the tokens of {subject} until now"


async def _id_of(installation: Installation, token: str) -> str:
    identity = await tokens_of(installation).verify(token)
    if identity.token_id is None:
        raise RagliveError(
            f"The token has no id (`jti`). Revoke those of its subject {identity.subject!r}.",
            code=ErrorCode.INVALID_REQUEST,
        )
    return identity.token_id
