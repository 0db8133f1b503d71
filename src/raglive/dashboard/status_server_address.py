"""The addresses of the status server: the public one, and the one that this server uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from raglive.http_api.allowed_hosts import host_name, is_direct_from_this_machine, is_loopback
from raglive_contract.socket import EVERY_PIPELINE

__all__ = ["WITH_THE_PAGE", "StatusServerAddress"]

WITH_THE_PAGE = "."  # an address relative to the page's own


@dataclass(frozen=True, slots=True)
class StatusServerAddress:
    """The status server's URLs, Socket.IO path, and pipeline types, each with a namespace.

    Browsers are told `public_url`, which may be `WITH_THE_PAGE`. The dashboard server itself uses
    only `internal_url`, which no proxy, certificate or public name affects. Both may have a path,
    and `socket_path` is below it. `port_on_any_host` is the port when the status server listens on
    every address of the host and no public URL is configured; otherwise None.
    """

    public_url: str
    internal_url: str
    socket_path: str
    pipeline_types: tuple[str, ...]
    port_on_any_host: int | None = None

    @property
    def namespaces(self) -> list[str]:
        """The Socket.IO namespaces."""
        return [f"/{kind}" for kind in self.pipeline_types]

    @property
    def internal_path(self) -> str:
        """The path of Socket.IO for this server."""
        return _path(self.internal_url) + self.socket_path

    def origin(self, request: HTTPConnection) -> str:
        """Choose the origin of the status server for the caller."""
        parts = urlsplit(self._url(request))
        return f"{parts.scheme}://{parts.netloc}" if parts.netloc else WITH_THE_PAGE

    def public(self, request: HTTPConnection) -> dict[str, Any]:
        """Build `WebSocketPlace` for the caller."""
        return {
            "url": self.origin(request),
            "path": _path(self._url(request)) + self.socket_path,
            "namespaces": self.namespaces,
            "every_pipeline": EVERY_PIPELINE,
        }

    def _url(self, request: HTTPConnection) -> str:
        """Choose the caller's URL: its own host with `port_on_any_host`, else `public_url`.

        The status server is not with the page of a browser on this machine that uses no proxy.
        """
        host = host_name(request.headers.get("host", ""))
        if self.port_on_any_host is not None and host is not None:
            return f"http://{f'[{host}]' if ':' in host else host}:{self.port_on_any_host}"
        if self.public_url != WITH_THE_PAGE:
            return self.public_url
        is_local = is_loopback(host) and is_direct_from_this_machine(request.scope)
        return self.internal_url if is_local else WITH_THE_PAGE


def _path(url: str) -> str:
    return "" if url == WITH_THE_PAGE else urlsplit(url).path.rstrip("/")
