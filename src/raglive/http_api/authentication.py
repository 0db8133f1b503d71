"""Authentication: verified and unrevoked tokens, and the FastAPI dependencies for them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import Request

from raglive.http_api.tokens import Identity, Tokens
from raglive.store.access.revocations import Revocations
from raglive_contract.errors import ErrorCode, RagliveError
from raglive_contract.permissions import Grant

__all__ = ["Authenticator", "bearer", "bearer_grant", "bearer_token"]


class Authenticator:
    """Accepts tokens that are valid and not revoked."""

    def __init__(self, tokens: Tokens, revocations: Revocations) -> None:
        self._tokens = tokens
        self._revocations = revocations

    async def identify(self, token: str) -> Identity:
        """Verify a token.

        Raises what `Tokens.verify` raises, `token_revoked`, and `DatabaseUnavailable` until the
        revocations were read once.
        """
        identity = await self._tokens.verify(token)
        if not self._revocations.are_known:
            await self._revocations.read()
        if self.is_revoked(identity):
            raise revoked()
        return identity

    def is_revoked(self, identity: Identity) -> bool:
        """Check whether the token of an identity has been revoked."""
        return self._revocations.cover(identity.token_id, identity.subject, identity.issued_at)


def revoked() -> RagliveError:
    """Make the error of a revoked token."""
    return RagliveError("The token was revoked. Get a new one.", code=ErrorCode.TOKEN_REVOKED)


def bearer_token(request: Request) -> str:
    """Read the token of `Authorization: Bearer`. Raises `unauthenticated`."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise RagliveError(
            "A token is required: send the header `Authorization: Bearer <token>`. "
            "`raglive token` makes one.",
            code=ErrorCode.UNAUTHENTICATED,
        )
    return token.strip()


def bearer(
    authenticator: Authenticator, count: Callable[[str], None]
) -> Callable[[Request], Awaitable[Identity]]:
    """Make the FastAPI dependency for the caller's identity; `count` applies a rate limit."""

    async def identity(request: Request) -> Identity:
        caller = await authenticator.identify(bearer_token(request))
        count(caller.subject)
        return caller

    return identity


def bearer_grant(
    authenticator: Authenticator, count: Callable[[str], None]
) -> Callable[[Request], Awaitable[Grant]]:
    """Make the FastAPI dependency for the caller's rights; `count` applies a rate limit."""
    identity = bearer(authenticator, count)

    async def grant(request: Request) -> Grant:
        return (await identity(request)).grant

    return grant
