"""Whose pages may connect: a browser says in `Origin` which page asks."""

from __future__ import annotations

from urllib.parse import urlsplit

import structlog
from starlette.datastructures import Headers
from starlette.types import Scope

from raglive.contract.errors import ErrorCode, RagliveError
from raglive.settings import Settings

__all__ = ["Origins"]

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
