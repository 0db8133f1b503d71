"""Authorization on the dashboard server, and the tokens that it issues to its page."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from fastapi import Request

from raglive import __version__
from raglive.dashboard.status_server_address import StatusServerAddress
from raglive.http_api.allowed_hosts import on_one_machine
from raglive.http_api.authentication import Authenticator, bearer_token
from raglive.http_api.tokens import Identity, Tokens
from raglive_contract.model import rfc3339
from raglive_contract.permissions import Grant, Role

__all__ = ["Access"]

SESSION_SECONDS = 600.0
EVERYTHING = Grant(Role.VIEWER, ("*",))
OPERATING = Grant(Role.OPERATOR, ("*",))


class Access:
    """Grants everything to local requests, and to others what their token says.

    With `requires_token`, local requests need a token too. `count` is called with each request's
    subject, and may refuse it.
    """

    def __init__(
        self,
        tokens: Tokens,
        authenticator: Authenticator,
        address: StatusServerAddress,
        *,
        count: Callable[[str], None],
        requires_token: bool,
    ) -> None:
        self._tokens = tokens
        self._authenticator = authenticator
        self._address = address
        self._count = count
        self._requires_token = requires_token

    async def grant(self, request: Request) -> Grant:
        """Authorize a viewer; raises what `Authenticator.identify` raises."""
        if self._is_local(request):
            return EVERYTHING
        return (await self._caller(request)).grant

    async def operator(self, request: Request) -> Identity:
        """Identify an operator: on one machine the dashboard's own page, but no other page."""
        if self._is_local(request) and _is_own_page(request):
            return Identity("dashboard", OPERATING, time.time() + SESSION_SECONDS, None)
        return await self._caller(request)

    async def token(self, request: Request) -> str:
        """Issue or pass on a token for the status server."""
        if self._is_local(request):
            return self._tokens.issue(EVERYTHING, SESSION_SECONDS, "dashboard")
        await self._caller(request)
        return bearer_token(request)

    async def session(self, request: Request) -> dict[str, Any]:
        """Build `Session`: a new token with the caller's rights, valid no longer than theirs."""
        if self._is_local(request):
            grant, ttl = EVERYTHING, SESSION_SECONDS
            token = self._tokens.issue(grant, ttl, "dashboard")
        else:
            caller = await self._caller(request)
            grant, ttl = caller.grant, min(SESSION_SECONDS, caller.expires_at - time.time())
            token = self._tokens.issue(grant, int(ttl), caller.subject, like=caller)
        expires_at = datetime.fromtimestamp((await self._tokens.verify(token)).expires_at, UTC)
        return {
            "token": token,
            "expires_at": rfc3339(expires_at),
            "role": str(grant.role),
            "redacted": grant.redact,
            "may_operate": self._is_local(request) or grant.role in {Role.OPERATOR, Role.ADMIN},
            "websocket": self._address.public(request),
            "version": __version__,
        }

    async def _caller(self, request: Request) -> Identity:
        caller = await self._authenticator.identify(bearer_token(request))
        self._count(caller.subject)
        return caller

    def _is_local(self, request: Request) -> bool:
        return not self._requires_token and on_one_machine(request.scope)


def _is_own_page(request: Request) -> bool:
    """Check that a request comes from the dashboard's page, or from no page at all."""
    site = request.headers.get("sec-fetch-site")
    if site is not None:
        return site in {"same-origin", "none"}
    origin = request.headers.get("origin")
    return origin is None or origin.partition("://")[2] == request.headers.get("host")
