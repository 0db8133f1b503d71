"""How much one address and one subject may ask over HTTP; the same on both servers."""

from __future__ import annotations

from raglive.http_api.hosts import is_loopback
from raglive.http_api.rates import Rate, address_key, too_often
from raglive.settings import Settings

__all__ = ["RequestLimits"]


class RequestLimits:
    """Counts requests.

    Addresses of this machine have no limit of their own: its proxy and its dashboard speak for
    others.
    """

    def __init__(self, settings: Settings) -> None:
        self._of_addresses = Rate(settings.address_requests_per_second)
        self._of_subjects = Rate(settings.subject_requests_per_second)

    def request_of_address(self, address: str) -> None:
        """Count a request over HTTP; raise `rate_limited`."""
        if not is_loopback(address) and (wait := self._of_addresses.take(address_key(address))):
            setting = "RAGLIVE_ADDRESS_REQUESTS_PER_SECOND"
            raise too_often(f"the address {address}", setting, wait)

    def request_of_subject(self, subject: str) -> None:
        """Count a request, however it came; raise `rate_limited`."""
        if wait := self._of_subjects.take(subject):
            setting = "RAGLIVE_SUBJECT_REQUESTS_PER_SECOND"
            raise too_often("the token's subject", setting, wait)
