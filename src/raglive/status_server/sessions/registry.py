"""Who is in, with which rights, and whether still: of all namespaces."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from raglive.http_api.authentication import Authenticator, revoked
from raglive.http_api.tokens import Identity
from raglive.status_server.admission import Limits
from raglive.status_server.audit import Audit, Place
from raglive.status_server.monitoring import Monitoring
from raglive.status_server.requests import read_token
from raglive.status_server.subscriptions.rooms import Audience, Viewer
from raglive_contract.errors import ErrorCode, RagliveError
from raglive_contract.socket import AuthExpiring

__all__ = ["Door"]


@dataclass(slots=True)
class _Guest:
    identity: Identity
    place: Place
    asked_at: float
    warned_of: Identity | None = None


class Door:
    """Lets connections in, and says which of them must leave."""

    def __init__(
        self,
        authenticator: Authenticator,
        limits: Limits,
        audit: Audit,
        audience: Audience,
        monitoring: Monitoring,
        *,
        idle_seconds: float,
    ) -> None:
        self._authenticator = authenticator
        self._limits = limits
        self._audit = audit
        self._audience = audience
        self._monitoring = monitoring
        self._idle_seconds = idle_seconds
        self._guests: dict[str, _Guest] = {}

    async def enter(self, place: Place, auth: object) -> Identity:
        """Let in who has a token that holds; raise what the client is to be told."""
        assert place.connection, "of a namespace"
        identity: Identity | None = None
        try:
            identity = await self._authenticator.identify(read_token(auth))
            self._limits.request_of_subject(identity.subject)
            self._limits.admit_subject(identity.subject)
        except RagliveError as error:
            self._audit.refused("connect", error, identity, place)
            raise
        self._guests[place.connection] = _Guest(identity, place, time.monotonic())
        self._audit.done("connect", identity, place, **_rights(identity))
        return identity

    def leave(self, sid: str, reason: str | None = None, seconds: float | None = None) -> None:
        """Forget a connection; may be called for one that is not in."""
        guest = self._guests.pop(sid, None)
        if guest is None:
            return
        self._limits.release_subject(guest.identity.subject)
        self._limits.forget_connection(sid)
        self._monitoring.leave(sid)
        self._audit.done("disconnect", guest.identity, guest.place, reason=reason, seconds=seconds)

    def identity(self, sid: str) -> Identity | None:
        """Return whom a connection speaks for, if it is in."""
        guest = self._guests.get(sid)
        return guest.identity if guest else None

    def visitor(self, sid: str) -> tuple[Viewer, Identity]:
        """Return a viewer with its rights of this moment; raise why it has none."""
        viewer, guest = self._audience.find(sid), self._guests.get(sid)
        if viewer is None or guest is None:
            raise RagliveError("The connection is closed.", code=ErrorCode.UNAUTHENTICATED)
        if fault := self._fault(guest.identity, time.time()):
            raise fault
        return viewer, guest.identity

    async def refresh(self, sid: str, token: str) -> tuple[Viewer, Identity]:
        """Take a new token in place of the old one."""
        viewer, _ = self.visitor(sid)
        guest = self._guests[sid]
        identity = await self._authenticator.identify(token)
        if self._guests.get(sid) is not guest:
            raise RagliveError("The connection is closed.", code=ErrorCode.UNAUTHENTICATED)
        if identity.subject != guest.identity.subject:
            self._limits.admit_subject(identity.subject)
            self._limits.release_subject(guest.identity.subject)
        guest.identity = identity
        self._audit.done("auth:refresh", identity, guest.place, **_rights(identity))
        return viewer, identity

    def request(self, sid: str) -> None:
        """Count a request; raise `rate_limited`."""
        guest = self._guests.get(sid)
        if guest is None:
            return
        guest.asked_at = time.monotonic()
        self._limits.request_of_connection(sid)
        self._limits.request_of_subject(guest.identity.subject)

    def refused(self, sid: str, request: str, error: RagliveError, **detail: Any) -> None:
        """Take down that a connection was refused something."""
        guest = self._guests.get(sid)
        if guest is not None:
            self._audit.refused(request, error, guest.identity, guest.place, **detail)

    def done(self, sid: str, request: str, **detail: Any) -> None:
        """Take down what a connection was given."""
        guest = self._guests.get(sid)
        if guest is not None:
            self._audit.done(request, guest.identity, guest.place, **detail)

    def must_leave(self) -> Iterator[tuple[Viewer, RagliveError]]:
        """Yield those whose token holds no longer, or who are here for nothing, and why."""
        now, clock = time.time(), time.monotonic()
        for sid, guest in list(self._guests.items()):
            viewer = self._audience.find(sid)
            if viewer is None:
                continue
            if fault := self._fault(guest.identity, now):
                yield viewer, fault
            elif viewer.pipelines or viewer.follows_all or self._monitoring.watches(sid):
                guest.asked_at = clock
            elif clock - guest.asked_at > self._idle_seconds:
                yield viewer, _idle(self._idle_seconds)

    def warn(self, seconds: float) -> None:
        """Tell those whose token ends within so many seconds, once."""
        now = time.time()
        for sid, guest in self._guests.items():
            identity, viewer = guest.identity, self._audience.find(sid)
            if viewer is None or identity is guest.warned_of:
                continue
            if identity.expires_at - seconds <= now:
                guest.warned_of = identity
                expires_at = datetime.fromtimestamp(identity.expires_at, UTC)
                body = AuthExpiring(expires_at=expires_at).model_dump_json().encode()
                self._audience.send(viewer, "auth:expiring", body)

    def _fault(self, identity: Identity, now: float) -> RagliveError | None:
        if identity.expires_at <= now:
            return RagliveError("The token has expired.", code=ErrorCode.TOKEN_EXPIRED)
        return revoked() if self._authenticator.is_revoked(identity) else None


def _rights(identity: Identity) -> dict[str, Any]:
    grant = identity.grant
    return {
        "role": str(grant.role),
        "pipelines": list(grant.pipelines),
        "redact": grant.redact or None,
    }


def _idle(seconds: float) -> RagliveError:
    return RagliveError(
        f"The connection watched nothing and asked for nothing for {seconds:g} s.",
        code=ErrorCode.IDLE,
        retryable=True,
    )
