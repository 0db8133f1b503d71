"""How much one connection, subject, address and pipeline may ask of the status server."""

from __future__ import annotations

from collections import Counter

from raglive.contract.errors import ErrorCode, RagliveError
from raglive.http_api.hosts import is_loopback
from raglive.http_api.limits import RequestLimits
from raglive.http_api.rates import Rate, address_key, too_often
from raglive.settings import Settings

__all__ = ["Limits"]

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
