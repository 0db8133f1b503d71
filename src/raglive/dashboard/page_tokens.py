"""The tokens that the dashboard server issues to its page."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

import structlog
from starlette.requests import Request

from raglive import __version__
from raglive.dashboard.status_server_address import StatusServerAddress
from raglive.http_api.allowed_hosts import host_name, is_direct_from_this_machine, is_loopback
from raglive.http_api.rate_limits import Rate, rate_limited
from raglive.http_api.tokens import Identity, Tokens
from raglive_contract.errors import ErrorCode, RagliveError
from raglive_contract.model import rfc3339
from raglive_contract.permissions import Grant, Role

__all__ = ["Sessions", "SignIn"]

log = structlog.get_logger()

SESSION_SECONDS = 600.0
SIGN_IN_SECONDS = 30 * 86_400.0
SIGN_INS_PER_SECOND = 1.0
SIGN_INS_BURST_SECONDS = 10.0
SUBJECT = "dashboard"
OWNER = Grant(Role.OPERATOR, ("*",))


class Sessions:
    """Issues tokens to pages that have one. `identify` is from `bearer`."""

    def __init__(
        self,
        tokens: Tokens,
        identify: Callable[[Request], Awaitable[Identity]],
        address: StatusServerAddress,
    ) -> None:
        self._tokens = tokens
        self._identify = identify
        self._address = address

    async def session(self, request: Request) -> dict[str, Any]:
        """Build `Session`: a new token with the caller's rights, valid no longer than theirs."""
        caller = await self._identify(request)
        ttl = min(SESSION_SECONDS, caller.expires_at - time.time())
        token = self._tokens.issue(caller.grant, int(ttl), caller.subject, like=caller)
        return {
            **_issued(token, await self._tokens.verify(token)),
            "role": str(caller.grant.role),
            "redacted": caller.grant.redact,
            "may_operate": caller.grant.role in {Role.OPERATOR, Role.ADMIN},
            "websocket": self._address.public(request),
            "version": __version__,
        }


class SignIn:
    """Issues a token to a browser on this machine that presents the one-time secret.

    `use` checks the secret and replaces it; without `use`, every request is refused.
    """

    def __init__(self, tokens: Tokens, use: Callable[[str], bool] | None) -> None:
        self._tokens = tokens
        self._use = use
        self._attempts = Rate(SIGN_INS_PER_SECOND, SIGN_INS_BURST_SECONDS)

    async def token(self, request: Request, secret: str) -> dict[str, Any]:
        """Build `SignedIn`. Raises `unauthenticated`, `forbidden` and `rate_limited`."""
        if not _may_sign_in(request):
            raise RagliveError(
                "This address works only in a browser on the machine that runs raglive, and not "
                "through a proxy. Elsewhere, sign in with a token: `raglive token` makes one.",
                code=ErrorCode.FORBIDDEN,
            )
        if wait := self._attempts.take(""):
            raise rate_limited("this machine", "10 attempts, then one a second", wait)
        if self._use is None or not await asyncio.to_thread(self._use, secret):
            raise RagliveError(
                "This address has been used, or raglive has started again since. "
                "`raglive open` opens a new one.",
                code=ErrorCode.UNAUTHENTICATED,
            )
        token = self._tokens.issue(OWNER, SIGN_IN_SECONDS, SUBJECT)
        identity = await self._tokens.verify(token)
        log.info("signed_in", subject=SUBJECT, token_id=identity.token_id)
        return _issued(token, identity)


def _may_sign_in(request: Request) -> bool:
    """Check that the request is direct, of this machine, for this machine, and of no other page."""
    host = request.headers.get("host", "")
    origin = request.headers.get("origin", f"http://{host}")
    return (
        is_direct_from_this_machine(request.scope)
        and is_loopback(host_name(host))
        and origin == f"http://{host}"
        and request.headers.get("sec-fetch-site", "same-origin") == "same-origin"
    )


def _issued(token: str, identity: Identity) -> dict[str, Any]:
    expires_at = datetime.fromtimestamp(identity.expires_at, UTC)
    return {"token": token, "expires_at": rfc3339(expires_at)}
