"""The registry of connected viewers and their rights, across all namespaces."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from raglive.http_api.authentication import Authenticator, revoked
from raglive.http_api.tokens import Identity
from raglive.status_server.admission import AdmissionLimits
from raglive.status_server.audit import Audit, ClientOrigin
from raglive.status_server.monitoring import MonitoringRoom
from raglive.status_server.subscriptions.rooms import Rooms, Subscriber
from raglive_contract.errors import ErrorCode, RagliveError

__all__ = ["SessionRegistry", "ViewerSession"]


@dataclass(slots=True)
class ViewerSession:
    """A connection to a namespace; `last_request_at` is monotonic, in seconds."""

    identity: Identity
    origin: ClientOrigin
    last_request_at: float
    warned_of: Identity | None = None


class SessionRegistry:
    """Opens, refreshes and closes sessions, and writes each step to the audit log."""

    def __init__(
        self,
        authenticator: Authenticator,
        limits: AdmissionLimits,
        audit: Audit,
        rooms: Rooms,
        monitoring: MonitoringRoom,
    ) -> None:
        self._authenticator = authenticator
        self._limits = limits
        self._audit = audit
        self._rooms = rooms
        self._monitoring = monitoring
        self._sessions: dict[str, ViewerSession] = {}

    def __len__(self) -> int:
        return len(self._sessions)

    async def open(self, origin: ClientOrigin, auth: object) -> Identity:
        """Open a session for the token of a handshake.

        Raises what `Authenticator.identify` raises, `rate_limited` and `limit_reached`.
        """
        assert origin.connection, "the connection to a namespace has an id"
        identity: Identity | None = None
        try:
            identity = await self._authenticator.identify(_token(auth))
            self._limits.request_of_subject(identity.subject)
            self._limits.add_connection_of_subject(identity.subject)
        except RagliveError as error:
            self._audit.record_refusal("connect", error, identity, origin)
            raise
        self._sessions[origin.connection] = ViewerSession(identity, origin, time.monotonic())
        self._audit.record("connect", identity, origin, **_rights(identity))
        return identity

    def close(self, sid: str, reason: str | None = None, seconds: float | None = None) -> None:
        """Close a session after `seconds`; does nothing for one that is not open."""
        session = self._sessions.pop(sid, None)
        if session is None:
            return
        identity = session.identity
        self._limits.remove_connection_of_subject(identity.subject)
        self._limits.forget_connection(sid)
        self._monitoring.leave(sid)
        self._audit.record("disconnect", identity, session.origin, reason=reason, seconds=seconds)

    def identity(self, sid: str) -> Identity | None:
        """Find the identity of a session; None when it is not open."""
        session = self._sessions.get(sid)
        return session.identity if session else None

    def authorize(self, sid: str) -> tuple[Subscriber, Identity]:
        """Find a subscriber with its present rights.

        Raises `unauthenticated` for a closed session, `token_expired` and `token_revoked`.
        """
        subscriber, session = self._rooms.find(sid), self._sessions.get(sid)
        if subscriber is None or session is None:
            raise RagliveError("The connection is closed.", code=ErrorCode.UNAUTHENTICATED)
        if fault := self.token_fault(session.identity, time.time()):
            raise fault
        return subscriber, session.identity

    async def refresh(self, sid: str, token: str) -> tuple[Subscriber, Identity]:
        """Replace the token of a session. Raises what `open` and `authorize` raise."""
        subscriber, _ = self.authorize(sid)
        session = self._sessions[sid]
        identity = await self._authenticator.identify(token)
        if self._sessions.get(sid) is not session:
            raise RagliveError("The connection is closed.", code=ErrorCode.UNAUTHENTICATED)
        if identity.subject != session.identity.subject:
            self._limits.add_connection_of_subject(identity.subject)
            self._limits.remove_connection_of_subject(session.identity.subject)
        session.identity = identity
        self._audit.record("auth:refresh", identity, session.origin, **_rights(identity))
        return subscriber, identity

    def count_request(self, sid: str) -> None:
        """Count a request against the connection's and the subject's rates.

        Raises `rate_limited`.
        """
        session = self._sessions.get(sid)
        if session is None:
            return
        session.last_request_at = time.monotonic()
        self._limits.request_of_connection(sid)
        self._limits.request_of_subject(session.identity.subject)

    def record_refusal(self, sid: str, request: str, error: RagliveError) -> None:
        """Record in the audit log that a session was refused a request."""
        session = self._sessions.get(sid)
        if session is not None:
            self._audit.record_refusal(request, error, session.identity, session.origin)

    def record(self, sid: str, request: str, **detail: Any) -> None:
        """Record in the audit log that a session's request succeeded."""
        session = self._sessions.get(sid)
        if session is not None:
            self._audit.record(request, session.identity, session.origin, **detail)

    def connected(self) -> Iterator[tuple[Subscriber, ViewerSession]]:
        """Iterate over the open sessions whose subscriber is connected."""
        for sid, session in list(self._sessions.items()):
            subscriber = self._rooms.find(sid)
            if subscriber is not None:
                yield subscriber, session

    def token_fault(self, identity: Identity, now: float) -> RagliveError | None:
        """Find why a token no longer holds at `now` (Unix seconds): expired or revoked."""
        if identity.expires_at <= now:
            return RagliveError("The token has expired.", code=ErrorCode.TOKEN_EXPIRED)
        return revoked() if self._authenticator.is_revoked(identity) else None


def _token(auth: object) -> str:
    token = auth.get("token") if isinstance(auth, dict) else None
    if not isinstance(token, str):
        raise RagliveError(
            "A token is required: connect with `auth: {token}`.", code=ErrorCode.UNAUTHENTICATED
        )
    return token


def _rights(identity: Identity) -> dict[str, Any]:
    grant = identity.grant
    return {
        "role": str(grant.role),
        "pipelines": list(grant.pipelines),
        "redact": grant.redact or None,
    }
