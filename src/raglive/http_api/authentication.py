"""Who calls: the bearer of a token that holds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import Request

from raglive.http_api.tokens import Identity, Tokens
from raglive.store.access.revocations import Revocations
from raglive_contract.errors import ErrorCode, RagliveError
from raglive_contract.permissions import Grant

__all__ = ["Authenticator", "bearer", "bearer_grant", "bearer_token"]


class Authenticator:
    """Accepts tokens that are verified and not revoked."""

    def __init__(self, tokens: Tokens, revocations: Revocations) -> None:
        self._tokens = tokens
        self._revocations = revocations

    async def identify(self, token: str) -> Identity:
        """Return whom a token speaks for.

        Raises what `Tokens.verify` raises, `token_revoked`, or `DatabaseUnavailable` as long as it
        is not known at all what is revoked.
        """
        identity = await self._tokens.verify(token)
        if not self._revocations.are_known:
            await self._revocations.read()
        if self.is_revoked(identity):
            raise revoked()
        return identity

    def is_revoked(self, identity: Identity) -> bool:
        """Say whether the token of an identity was revoked since."""
        return self._revocations.cover(identity.token_id, identity.subject, identity.issued_at)


def revoked() -> RagliveError:
    """Return what is said of a token that was revoked."""
    return RagliveError("The token was revoked. Get a new one.", code=ErrorCode.TOKEN_REVOKED)


def bearer_token(request: Request) -> str:
    """Return the token of `Authorization: Bearer`; raise `unauthenticated` without one."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise RagliveError(
            "A token is needed: send the header `Authorization: Bearer <token>`. "
            "`raglive token` makes one.",
            code=ErrorCode.UNAUTHENTICATED,
        )
    return token.strip()


def bearer(
    authenticator: Authenticator, count: Callable[[str], None]
) -> Callable[[Request], Awaitable[Identity]]:
    """Return the FastAPI dependency that gives the caller's identity; `count` may refuse it."""

    async def identity(request: Request) -> Identity:
        caller = await authenticator.identify(bearer_token(request))
        count(caller.subject)
        return caller

    return identity


def bearer_grant(
    authenticator: Authenticator, count: Callable[[str], None]
) -> Callable[[Request], Awaitable[Grant]]:
    """Return the FastAPI dependency that gives the caller's rights; `count` may refuse it."""
    identity = bearer(authenticator, count)

    async def grant(request: Request) -> Grant:
        return (await identity(request)).grant

    return grant
