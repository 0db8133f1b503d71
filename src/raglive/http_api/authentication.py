"""Who calls: the bearer of a token."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import Request

from raglive.contract.errors import ErrorCode, RagliveError
from raglive.contract.permissions import Grant
from raglive.http_api.tokens import Identity, Tokens

__all__ = ["bearer", "bearer_grant", "bearer_token"]


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


def bearer(tokens: Tokens) -> Callable[[Request], Awaitable[Identity]]:
    """Return the FastAPI dependency that gives the caller's identity."""

    async def identity(request: Request) -> Identity:
        return tokens.verify(bearer_token(request))

    return identity


def bearer_grant(tokens: Tokens) -> Callable[[Request], Awaitable[Grant]]:
    """Return the FastAPI dependency that gives the caller's rights."""

    async def grant(request: Request) -> Grant:
        return tokens.verify(bearer_token(request)).grant

    return grant
