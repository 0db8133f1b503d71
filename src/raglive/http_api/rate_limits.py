"""Rate limits: token buckets by key, and the limits of requests over HTTP."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

from raglive_contract.errors import ErrorCode, RagliveError

__all__ = ["Rate", "RequestLimits", "RequestRates", "address_key", "rate_limited"]

MAX_KEYS = 20_000


class Rate:
    """A token bucket for each key, refilled at `per_second`, up to `burst_seconds` of it.

    Memory is bounded: full buckets are forgotten, and of the others only the `MAX_KEYS` last used
    are held.
    """

    def __init__(
        self,
        per_second: float,
        burst_seconds: float = 2.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._interval = 1 / per_second
        self._burst_seconds = max(burst_seconds, self._interval)
        self._clock = clock
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def take(self, key: str, amount: float = 1) -> float:
        """Take an amount; return 0, or the seconds to wait when the bucket is empty."""
        now = self._clock()
        full_at = max(self._full_at.get(key, now), now)
        wait = full_at - now - self._burst_seconds + self._interval
        if wait > 1e-9:
            return wait
        self._full_at[key] = full_at + amount * self._interval
        self._full_at.move_to_end(key)
        self._forget(now)
        return 0.0

    def forget(self, key: str) -> None:
        """Forget a key that will not be used again."""
        self._full_at.pop(key, None)

    def __len__(self) -> int:
        return len(self._full_at)

    def _forget(self, now: float) -> None:
        while self._full_at:
            oldest = next(iter(self._full_at))
            if self._full_at[oldest] > now and len(self._full_at) <= MAX_KEYS:
                return
            del self._full_at[oldest]


def address_key(address: str) -> str:
    """Return the key of one host: its IPv4 address, or its IPv6 /64 network."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    return str(parsed.ipv4_mapped or IPv6Address(int(parsed) >> 64 << 64))


def rate_limited(caller: str, setting: str, wait_seconds: float) -> RagliveError:
    """Make the error of a request over the limit; `caller` names the limited party."""
    return RagliveError(
        f"Too many requests from {caller}. Wait, then try again. The limit is {setting}.",
        code=ErrorCode.RATE_LIMITED,
        retryable=True,
        retry_after_ms=1 + math.ceil(wait_seconds * 1000),
    )


@dataclass(frozen=True, slots=True)
class RequestRates:
    """Requests per second that one address, and the tokens of one subject, may make."""

    per_address: float
    per_subject: float


class RequestLimits:
    """Counts requests by address and by subject."""

    def __init__(self, rates: RequestRates) -> None:
        self._requests_by_address = Rate(rates.per_address)
        self._requests_by_subject = Rate(rates.per_subject)

    def request_of_address(self, address: str) -> None:
        """Count a request over HTTP. Raises `rate_limited`."""
        if wait := self._requests_by_address.take(address_key(address)):
            setting = "RAGLIVE_ADDRESS_REQUESTS_PER_SECOND"
            raise rate_limited(f"the address {address}", setting, wait)

    def request_of_subject(self, subject: str) -> None:
        """Count a request over any transport. Raises `rate_limited`."""
        if wait := self._requests_by_subject.take(subject):
            setting = "RAGLIVE_SUBJECT_REQUESTS_PER_SECOND"
            raise rate_limited("the token's subject", setting, wait)
