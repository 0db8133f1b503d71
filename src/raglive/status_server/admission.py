"""Admission: origins, connections of addresses and subjects, and rates of requests and events.

Sizes are limited where bytes are read: messages in `transport/payload_filter.py`, other bodies in
`http/application.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

import structlog
from fastapi import Request
from starlette.datastructures import Headers
from starlette.types import Scope

from raglive.http_api.allowed_hosts import client_address, is_direct_from_this_machine
from raglive.http_api.rate_limits import (
    Rate,
    RequestLimits,
    RequestRates,
    address_key,
    rate_limited,
)
from raglive.http_api.responses import status_of
from raglive.status_server.audit import Audit, ClientOrigin
from raglive.store.access.producer_usage import PublishedToday
from raglive_contract.errors import ErrorCode, RagliveError

__all__ = ["Admission", "AdmissionConfig", "AdmissionLimits", "AllowedOrigins", "origins_of"]

log = structlog.get_logger()

CONNECT_BURST_SECONDS = 10.0
REFUSALS_PER_SECOND = 2.0
REFUSALS_BURST_SECONDS = 25.0
LIMIT_RETRY_MS = 5000


@dataclass(frozen=True, slots=True)
class AdmissionConfig:
    """The limits, and the origins whose pages may connect; `*` among them allows every origin."""

    max_connections: int
    max_connections_per_address: int
    max_connections_per_subject: int
    max_subscriptions: int  # of one connection
    max_pipelines: int
    connections_per_second: float  # of one address
    requests_per_second: float  # over one connection
    events_per_second: float  # of one pipeline
    daily_quota: PublishedToday  # of one subject
    request_rates: RequestRates
    allowed_origins: frozenset[str]


class AdmissionLimits(RequestLimits):
    """Counts connections, requests and events, and refuses those above the limits."""

    def __init__(self, config: AdmissionConfig) -> None:
        super().__init__(config.request_rates)
        self._config = config
        self._connects_by_address = Rate(config.connections_per_second, CONNECT_BURST_SECONDS)
        self._requests_by_connection = Rate(config.requests_per_second)
        self._events_by_pipeline = Rate(config.events_per_second)
        self._refusals_by_connection = Rate(REFUSALS_PER_SECOND, REFUSALS_BURST_SECONDS)
        self._connections_by_address: Counter[str] = Counter()
        self._connections_by_subject: Counter[str] = Counter()

    def check_connections(self, open_connections: int) -> None:
        """Check the number of all connections. Raises `limit_reached`."""
        if open_connections >= self._config.max_connections:
            raise _limit_reached("the server", "RAGLIVE_MAX_CONNECTIONS")

    def check_address(self, address: str) -> None:
        """Check a new connection of an address. Raises `limit_reached` and `rate_limited`."""
        key = address_key(address)
        if self._connections_by_address[key] >= self._config.max_connections_per_address:
            raise _limit_reached(f"the address {address}", "RAGLIVE_MAX_CONNECTIONS_PER_ADDRESS")
        if wait := self._connects_by_address.take(key):
            setting = "RAGLIVE_ADDRESS_CONNECTIONS_PER_SECOND"
            raise rate_limited(f"the address {address}", setting, wait)

    def count_address(self, address: str, change: int) -> None:
        """Count a connection of an address that opens (+1) or ends (-1)."""
        _count(self._connections_by_address, address_key(address), change)

    def add_connection_of_subject(self, subject: str) -> None:
        """Count a connection to a namespace. Raises `limit_reached`."""
        if self._connections_by_subject[subject] >= self._config.max_connections_per_subject:
            raise _limit_reached("the token's subject", "RAGLIVE_MAX_CONNECTIONS_PER_SUBJECT")
        _count(self._connections_by_subject, subject, 1)

    def remove_connection_of_subject(self, subject: str) -> None:
        """Count the end of a connection to a namespace."""
        _count(self._connections_by_subject, subject, -1)

    def request_of_connection(self, connection: str) -> None:
        """Count a request over Socket.IO. Raises `rate_limited`."""
        if wait := self._requests_by_connection.take(connection):
            setting = "RAGLIVE_CONNECTION_REQUESTS_PER_SECOND"
            raise rate_limited("this connection", setting, wait)

    def forget_connection(self, connection: str) -> None:
        """Drop the counters of a connection that has ended."""
        self._requests_by_connection.forget(connection)
        self._refusals_by_connection.forget(connection)

    def ignores_refusals(self, connection: str) -> bool:
        """Count a `rate_limited` answer; True when the client has not slowed down after many."""
        return self._refusals_by_connection.take(connection) > 0

    def check_subscriptions(self, pipelines: int) -> None:
        """Check the number of pipelines of one connection. Raises `limit_reached`."""
        if pipelines > self._config.max_subscriptions:
            raise _limit_reached("this connection", "RAGLIVE_MAX_SUBSCRIPTIONS")

    def publish(self, pipeline_id: str, events: int) -> None:
        """Count events of a pipeline. Raises `rate_limited`."""
        if wait := self._events_by_pipeline.take(pipeline_id, events):
            setting = "RAGLIVE_PIPELINE_EVENTS_PER_SECOND"
            raise rate_limited(f"the pipeline {pipeline_id}", setting, wait)

    def check_new_pipeline(self, pipelines: int) -> None:
        """Check that the server takes another pipeline. Raises `limit_reached`."""
        if pipelines >= self._config.max_pipelines:
            raise _limit_reached("the server: no more pipelines", "RAGLIVE_MAX_PIPELINES")


class AllowedOrigins:
    """The origins that are configured, and the request's own host.

    The own host is allowed because behind one proxy the dashboard and this server share an
    origin. `AllowedHosts` has checked that host before.
    """

    def __init__(self, allowed: frozenset[str]) -> None:
        self._allowed = allowed

    def check(self, scope: Scope) -> None:
        """Raise `origin_not_allowed` for a page of another origin; no origin is allowed."""
        headers = Headers(scope=scope)
        origins = headers.getlist("origin")
        host = headers.get("host", "")
        if not origins or (len(origins) == 1 and self._allows(origins[0], host)):
            return
        seen = ", ".join(origins)[:255]
        log.warning("origin_not_allowed", origin=seen, host=host, setting="SOCKET_IO_CORS_ORIGIN")
        raise RagliveError(
            f"Pages of {seen!r} may not connect. "
            "If they should, add the origin to SOCKET_IO_CORS_ORIGIN.",
            code=ErrorCode.ORIGIN_NOT_ALLOWED,
        )

    def _allows(self, origin: str, host: str) -> bool:
        if "*" in self._allowed or origin.lower() in self._allowed:
            return True
        parts = urlsplit(origin)
        return parts.scheme in {"http", "https"} and parts.netloc.lower() == host.lower() != ""


def origins_of(hosts: Iterable[str], ports: Iterable[int]) -> frozenset[str]:
    """List the origins of pages on these ports of loopback and of these hosts."""
    return frozenset(
        f"{scheme}://{host.lower()}:{port}"
        for host in {"127.0.0.1", "localhost", "[::1]", *hosts}
        for port in ports
        for scheme in ("http", "https")
    )


class Admission:
    """Applies the per-address limits and the origins, and records refusals in the audit log."""

    def __init__(
        self,
        origins: AllowedOrigins,
        limits: AdmissionLimits,
        audit: Audit,
        *,
        open_connections: Callable[[], int],
        is_draining: Callable[[], bool],
    ) -> None:
        self._origins = origins
        self._limits = limits
        self._audit = audit
        self._open_connections = open_connections
        self._is_draining = is_draining

    def admit(self, scope: Scope, opens_session: bool) -> None:
        """Admit a request of Engine.IO.

        Raises `origin_not_allowed`; for one that opens a session also `unavailable` during a
        graceful shutdown, `limit_reached` and `rate_limited`.
        """
        self._origins.check(scope)
        if not opens_session:
            return
        if self._is_draining():
            raise _draining()
        address = client_address(scope)
        try:
            self._limits.check_connections(self._open_connections())
            if not is_direct_from_this_machine(scope):
                self._limits.check_address(address)
        except RagliveError as error:
            self._audit.record_refusal("connect", error, origin=ClientOrigin(address))
            raise

    def count_http_request(self, address: str) -> None:
        """Count a request over HTTP. Raises `rate_limited`."""
        try:
            self._limits.request_of_address(address)
        except RagliveError as error:
            self._audit.record_refusal("http", error, origin=ClientOrigin(address))
            raise

    def record_refusal(self, error: RagliveError, request: Request) -> None:
        """Record a refusal over HTTP that was for identity, rights or rate."""
        if status_of(error.code) in {401, 403, 429}:
            origin = ClientOrigin(client_address(request.scope))
            path = request.url.path[:255]
            self._audit.record_refusal("http", error, origin=origin, path=path)


def _count(counter: Counter[str], key: str, change: int) -> None:
    counter[key] += change
    if counter[key] <= 0:
        del counter[key]


def _limit_reached(limited: str, setting: str) -> RagliveError:
    return RagliveError(
        f"The limit of {limited} is reached. It is {setting}.",
        code=ErrorCode.LIMIT_REACHED,
        retryable=True,
        retry_after_ms=LIMIT_RETRY_MS,
    )


def _draining() -> RagliveError:
    return RagliveError(
        "The server is shutting down. Reconnect in a moment.",
        code=ErrorCode.UNAVAILABLE,
        retryable=True,
        retry_after_ms=1000,
    )
