"""Host names, and the addresses of clients.

Checking the Host header prevents DNS rebinding: an attacker's page can make its own name resolve
to this machine, but the Host header then has the attacker's name. An address cannot be rebound.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_address
from urllib.parse import urlsplit

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from raglive.http_api.responses import refuse
from raglive_contract.errors import ErrorCode, RagliveError

__all__ = [
    "AllowedHosts",
    "client_address",
    "host_name",
    "is_direct_from_this_machine",
    "is_loopback",
]

log = structlog.get_logger()

_EVERYWHERE = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - compared, not bound
_PROXY_HEADERS = frozenset(
    {"forwarded", "via", "client-ip", "fly-client-ip", "fastly-client-ip", "true-client-ip"}
    | {"cdn-loop", "x-client-ip", "x-cluster-client-ip", "x-proxyuser-ip", "x-real-ip"}
)
_PROXY_HEADER_PREFIXES = (
    "cf-",
    "x-amzn-",
    "x-appengine-",
    "x-azure-",
    "x-envoy-",
    "x-forwarded",
    "x-original-",
)


class AllowedHosts:
    """Middleware that refuses requests for other hosts with `host_not_allowed`.

    Loopback, the bound address and the `allowed` names are accepted; `*.example.com` covers every
    name below it, and `*` every name.
    """

    def __init__(self, app: ASGIApp, bound_host: str, allowed: Iterable[str] = ()) -> None:
        self._app = app
        self._bound_host = bound_host.lower()
        self._allowed = frozenset(name.lower().rstrip(".") for name in allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a request for an allowed host."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        hosts = Headers(scope=scope).getlist("host")
        host = host_name(hosts[0]) if len(hosts) == 1 else None
        if host is not None and self._allows(host):
            await self._app(scope, receive, send)
            return
        seen = ", ".join(hosts)[:255]
        log.warning("host_not_allowed", host=seen, setting="RAGLIVE_ALLOWED_HOSTS")
        await refuse(_refusal(seen), scope, receive, send)

    def _allows(self, host: str) -> bool:
        if is_loopback(host) or host == self._bound_host or self._is_named(host):
            return True
        return self._bound_host in _EVERYWHERE and _is_address(host)

    def _is_named(self, host: str) -> bool:
        if "*" in self._allowed or host in self._allowed:
            return True
        _, _, parent = host.partition(".")
        while parent:
            if f"*.{parent}" in self._allowed:
                return True
            _, _, parent = parent.partition(".")
        return False


@lru_cache(maxsize=1024)
def host_name(authority: str) -> str | None:
    """Parse the name of a Host header, without port and brackets; None when it is invalid."""
    try:
        parts = urlsplit(f"//{authority}")
        _ = parts.port
    except ValueError:
        return None
    if parts.path or parts.query or parts.fragment or "@" in authority:
        return None
    return (parts.hostname or "").rstrip(".") or None


@lru_cache(maxsize=1024)
def is_loopback(host: str | None) -> bool:
    """Check whether a host name or an address is loopback; also `localhost` and below."""
    if host is None:
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def is_direct_from_this_machine(scope: Scope) -> bool:
    """Check that the peer is loopback and that no header of a proxy is present.

    A proxy on this machine that adds no header cannot be told from a local client, so this must
    never grant rights by itself.
    """
    client = scope.get("client")
    if client is None or not is_loopback(client[0]):
        return False
    return not any(
        name in _PROXY_HEADERS or name.startswith(_PROXY_HEADER_PREFIXES)
        for name in Headers(scope=scope)
    )


def client_address(scope: Scope) -> str:
    """Return the client's address, or `unknown`."""
    client = scope.get("client")
    return str(client[0]) if client else "unknown"


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _refusal(seen: str) -> RagliveError:
    return RagliveError(
        f"This server does not answer to the host {seen!r}. "
        "If it should, add the name to RAGLIVE_ALLOWED_HOSTS.",
        code=ErrorCode.HOST_NOT_ALLOWED,
    )
