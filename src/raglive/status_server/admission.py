"""How much one connection, subject, address and pipeline may ask of the status server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from urllib.parse import urlsplit

import structlog
from fastapi import Request
from starlette.datastructures import Headers
from starlette.types import Scope

from raglive.http_api.hosts import client_address, is_loopback
from raglive.http_api.rate_limits import Rate, RequestLimits, address_key, too_often
from raglive.http_api.responses import status_of
from raglive.settings import Settings
from raglive.status_server.audit import Audit, Place
from raglive_contract.errors import ErrorCode, RagliveError

__all__ = ["Entrance", "Limits", "Origins"]

CONNECT_BURST_SECONDS = 10.0
REFUSALS_PER_SECOND = 2.0
REFUSALS_BURST_SECONDS = 25.0
FULL_RETRY_MS = 5000


class Limits(RequestLimits):
    """Every limit, and what counts towards it."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._settings = settings
        self._connecting = Rate(settings.address_connections_per_second, CONNECT_BURST_SECONDS)
        self._of_connections = Rate(settings.connection_requests_per_second)
        self._of_pipelines = Rate(settings.pipeline_events_per_second)
        self._refusals = Rate(REFUSALS_PER_SECOND, REFUSALS_BURST_SECONDS)
        self._addresses: Counter[str] = Counter()
        self._subjects: Counter[str] = Counter()

    def admit_address(self, address: str, connections: int) -> None:
        """Let an address begin a connection beside so many; raise `limit_reached` or a rate."""
        if connections >= self._settings.max_connections:
            raise _full("the server", "RAGLIVE_MAX_CONNECTIONS")
        if is_loopback(address):
            return
        key = address_key(address)
        if self._addresses[key] >= self._settings.max_connections_per_address:
            raise _full(f"the address {address}", "RAGLIVE_MAX_CONNECTIONS_PER_ADDRESS")
        if wait := self._connecting.take(key):
            setting = "RAGLIVE_ADDRESS_CONNECTIONS_PER_SECOND"
            raise too_often(f"the address {address}", setting, wait)

    def count_address(self, address: str, change: int) -> None:
        """Count a connection that begins, or has ended."""
        _count(self._addresses, address_key(address), change)

    def admit_subject(self, subject: str) -> None:
        """Count a connection to a namespace; raise `limit_reached`."""
        if self._subjects[subject] >= self._settings.max_connections_per_subject:
            raise _full("the token's subject", "RAGLIVE_MAX_CONNECTIONS_PER_SUBJECT")
        _count(self._subjects, subject, 1)

    def release_subject(self, subject: str) -> None:
        """Count a connection to a namespace that has ended."""
        _count(self._subjects, subject, -1)

    def request_of_connection(self, connection: str) -> None:
        """Count a request over Socket.IO; raise `rate_limited`."""
        if wait := self._of_connections.take(connection):
            setting = "RAGLIVE_CONNECTION_REQUESTS_PER_SECOND"
            raise too_often("this connection", setting, wait)

    def forget_connection(self, connection: str) -> None:
        """Forget a connection that has ended."""
        self._of_connections.forget(connection)
        self._refusals.forget(connection)

    def goes_on(self, connection: str) -> bool:
        """Count a request too many; say whether the client goes on as if it had not been told."""
        return self._refusals.take(connection) > 0

    def subscribe(self, pipelines: int) -> None:
        """Let a connection watch so many pipelines; raise `limit_reached`."""
        if pipelines > self._settings.max_subscriptions:
            raise _full("this connection", "RAGLIVE_MAX_SUBSCRIPTIONS")

    def publish(self, pipeline_id: str, events: int) -> None:
        """Count events of a pipeline; raise `rate_limited`."""
        if wait := self._of_pipelines.take(pipeline_id, events):
            setting = "RAGLIVE_PIPELINE_EVENTS_PER_SECOND"
            raise too_often(f"the pipeline {pipeline_id}", setting, wait)

    def begin_pipeline(self, pipelines: int) -> None:
        """Let a pipeline be made beside so many; raise `limit_reached`."""
        if pipelines >= self._settings.max_pipelines:
            raise _full("the server: no more pipelines", "RAGLIVE_MAX_PIPELINES")


def _count(counter: Counter[str], key: str, change: int) -> None:
    counter[key] += change
    if counter[key] <= 0:
        del counter[key]


def _full(whose: str, setting: str) -> RagliveError:
    return RagliveError(
        f"The limit of {whose} is reached. It is {setting}.",
        code=ErrorCode.LIMIT_REACHED,
        retryable=True,
        retry_after_ms=FULL_RETRY_MS,
    )


class Entrance:
    """Lets addresses begin connections and requests, and takes down whom it does not."""

    def __init__(self, limits: Limits, audit: Audit, connections: Callable[[], int]) -> None:
        self._limits = limits
        self._audit = audit
        self._connections = connections

    def admit(self, address: str) -> None:
        """Let an address begin a connection; raise `limit_reached` or `rate_limited`."""
        try:
            self._limits.admit_address(address, self._connections())
        except RagliveError as error:
            self._audit.refused("connect", error, place=Place(address))
            raise

    def count(self, address: str) -> None:
        """Count a request over HTTP; raise `rate_limited`."""
        try:
            self._limits.request_of_address(address)
        except RagliveError as error:
            self._audit.refused("http", error, place=Place(address))
            raise

    def refused(self, error: RagliveError, request: Request) -> None:
        """Take down who was refused over HTTP, if it was for who he is or how much he asked."""
        if status_of(error.code) in {401, 403, 429}:
            place = Place(client_address(request.scope))
            self._audit.refused("http", error, place=place, path=request.url.path[:255])


log = structlog.get_logger()


class Origins:
    """The dashboard's own origins, those that are set, and whatever the server itself is below.

    Behind one proxy the dashboard and this server are one origin, that of the request's own host,
    which was checked before.
    """

    def __init__(self, settings: Settings) -> None:
        hosts = {"127.0.0.1", "localhost", "[::1]", settings.host, *settings.allowed_hosts}
        own = {
            f"{scheme}://{host.lower()}:{port}"
            for host in hosts
            for port in (settings.dashboard_port, settings.status_port)
            for scheme in ("http", "https")
        }
        self._allowed = own | set(settings.cors_origins)

    def allow(self, origin: str | None, host: str) -> bool:
        """Say whether a page of `origin`, or no page, may connect to what it calls `host`."""
        if origin is None:
            return True
        if "*" in self._allowed or origin.lower() in self._allowed:
            return True
        parts = urlsplit(origin)
        return parts.scheme in {"http", "https"} and parts.netloc.lower() == host.lower() != ""

    def check(self, scope: Scope) -> None:
        """Raise `origin_not_allowed` for a request of a page that may not connect."""
        headers = Headers(scope=scope)
        origins = headers.getlist("origin")
        host = headers.get("host", "")
        if not origins or (len(origins) == 1 and self.allow(origins[0], host)):
            return
        seen = ", ".join(origins)[:255]
        log.warning("origin_not_allowed", origin=seen, host=host, setting="SOCKET_IO_CORS_ORIGIN")
        raise RagliveError(
            f"Pages of {seen!r} may not connect. "
            "If they should, add the origin to SOCKET_IO_CORS_ORIGIN.",
            code=ErrorCode.ORIGIN_NOT_ALLOWED,
        )
