"""Taking tokens back from the command line."""

from __future__ import annotations

from raglive.app.tokens import tokens_of
from raglive.app.wiring import Wiring
from raglive.contract.errors import ErrorCode, RagliveError
from raglive.database.revocations import revoke

__all__ = ["revoke_tokens"]


async def revoke_tokens(
    wiring: Wiring,
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
        token_id = await _id_of(wiring, token)
    async with wiring.database("revoke", max_size=1) as database:
        await revoke(
            database, token_id=token_id, subject=subject, revoked_by="command-line", reason=reason
        )
    return f"the token {token_id}" if subject is None else f"the tokens of {subject} until now"


async def _id_of(wiring: Wiring, token: str) -> str:
    identity = await tokens_of(wiring).verify(token)
    if identity.token_id is None:
        raise RagliveError(
            f"The token has no id (`jti`). Revoke those of its subject {identity.subject!r}.",
            code=ErrorCode.INVALID_REQUEST,
        )
    return identity.token_id
