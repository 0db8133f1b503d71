"""The limits of addresses, and the record of who was refused at them."""

from __future__ import annotations

from collections.abc import Callable

from fastapi import Request

from raglive.contract.errors import RagliveError
from raglive.http_api.errors import status_of
from raglive.http_api.hosts import client_address
from raglive.status_server.audit import Audit, Place
from raglive.status_server.limits import Limits

__all__ = ["Entrance"]


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
