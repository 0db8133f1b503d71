"""Eviction: closes sessions whose token has ended, that are idle, too slow, or over their rate."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime

import structlog

from raglive.status_server.background import BackgroundTasks
from raglive.status_server.metrics import StatusMetrics
from raglive.status_server.monitoring import MonitoringRoom
from raglive.status_server.sessions.registry import SessionRegistry, ViewerSession
from raglive.status_server.subscriptions.rooms import Rooms, Subscriber
from raglive.status_server.transport.socketio_server import SocketServer
from raglive_contract.errors import ErrorBody, ErrorCode, RagliveError
from raglive_contract.socket import AuthExpiring, ServerClosing

__all__ = ["SessionEviction"]

log = structlog.get_logger()

CHECK_SECONDS = 0.5


class SessionEviction:
    """Ends sessions, and tells the client why where it still reads.

    Connections that never reach a namespace have no session: the transport's handshake time-out
    closes them.
    """

    def __init__(
        self,
        registry: SessionRegistry,
        rooms: Rooms,
        monitoring: MonitoringRoom,
        sockets: SocketServer,
        *,
        tasks: BackgroundTasks,
        metrics: StatusMetrics,
        idle_seconds: float,
        expiry_warning_seconds: float,
    ) -> None:
        self._registry = registry
        self._rooms = rooms
        self._monitoring = monitoring
        self._sockets = sockets
        self._tasks = tasks
        self._metrics = metrics
        self._idle_seconds = idle_seconds
        self._expiry_warning_seconds = expiry_warning_seconds

    async def run(self) -> None:
        """Check all sessions every half second, until cancelled."""
        while True:
            self.check()
            self._warn_of_expiry()
            await asyncio.sleep(CHECK_SECONDS)

    def check(self) -> None:
        """Evict the sessions that are idle, or whose token has expired or was revoked."""
        now, clock = time.time(), time.monotonic()
        for subscriber, session in self._registry.connected():
            fault = self._registry.token_fault(session.identity, now)
            if fault is None and self._is_idle(subscriber, session, clock):
                fault = _idle(self._idle_seconds)
            if fault is not None:
                self._registry.record_refusal(subscriber.sid, "stay", fault)
                self._disconnect(subscriber, fault)

    def evict(self, subscriber: Subscriber, error: RagliveError) -> None:
        """Tell a client why, and close its connection with all namespaces."""
        self._disconnect(subscriber, error)
        closing = self._sockets.close_when_flushed(subscriber.engine_sid)
        self._tasks.start(closing, "evict")

    def evict_slow(self, subscriber: Subscriber) -> None:
        """Close the connection of a client that does not read."""
        log.warning("viewer_too_slow", connection=subscriber.sid)
        self._rooms.remove(subscriber.sid)
        self._metrics.slow.inc()
        self._tasks.start(self._sockets.close_session(subscriber.engine_sid), "evict-slow")

    def _is_idle(self, subscriber: Subscriber, session: ViewerSession, clock: float) -> bool:
        """Check the time since the last request; a subscription counts as one."""
        watches = self._monitoring.watches(subscriber.sid)
        if subscriber.pipelines or subscriber.follows_all or watches:
            session.last_request_at = clock
        return clock - session.last_request_at > self._idle_seconds

    def _warn_of_expiry(self) -> None:
        """Send `auth:expiring` once for each token that is about to expire."""
        horizon = time.time() + self._expiry_warning_seconds
        for subscriber, session in self._registry.connected():
            identity = session.identity
            if identity is session.warned_of or identity.expires_at > horizon:
                continue
            session.warned_of = identity
            expires_at = datetime.fromtimestamp(identity.expires_at, UTC)
            body = AuthExpiring(expires_at=expires_at).model_dump_json().encode()
            self._rooms.send(subscriber, "auth:expiring", body)

    def _disconnect(self, subscriber: Subscriber, error: RagliveError) -> None:
        """Tell a client why, and close its connection to the namespace."""
        closing = ServerClosing(error=ErrorBody(**error.body()))
        self._rooms.send(subscriber, "server:closing", closing.model_dump_json().encode())
        self._rooms.remove(subscriber.sid)
        ending = self._sockets.disconnect(subscriber.sid, namespace=subscriber.namespace)
        self._tasks.start(ending, "disconnect")


def _idle(seconds: float) -> RagliveError:
    return RagliveError(
        f"The connection had no subscription and made no request for {seconds:g} s.",
        code=ErrorCode.IDLE,
        retryable=True,
    )
