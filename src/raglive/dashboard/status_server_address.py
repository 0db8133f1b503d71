"""The addresses of the status server: the public one, and the one that this server uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

from raglive.http_api.allowed_hosts import host_name
from raglive_contract.socket import EVERY_PIPELINE

__all__ = ["StatusServerAddress"]


@dataclass(frozen=True, slots=True)
class StatusServerAddress:
    """The status server's URLs, Socket.IO path, and pipeline types, each with a namespace.

    Browsers are told `public_url`. The dashboard server itself uses only `internal_url`, which no
    proxy, certificate or public name affects. Both may have a path, and `socket_path` is below it.
    `port_on_any_host` is the port when the status server listens on every address of the host and
    no public URL is configured; otherwise None.
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
    def public_path(self) -> str:
        """The path of Socket.IO for browsers."""
        return _path(self.public_url) + self.socket_path

    @property
    def internal_path(self) -> str:
        """The path of Socket.IO for this server."""
        return _path(self.internal_url) + self.socket_path

    def origin(self, request: HTTPConnection) -> str:
        """Choose the caller's origin: its own host with `port_on_any_host`, else the public one."""
        public = urlsplit(self.public_url)
        public_origin = f"{public.scheme}://{public.netloc}"
        if self.port_on_any_host is None:
            return public_origin
        host = host_name(request.headers.get("host", ""))
        if host is None:
            return public_origin
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port_on_any_host}"

    def public(self, request: HTTPConnection) -> dict[str, Any]:
        """Build `WebSocketPlace` for the caller."""
        return {
            "url": self.origin(request),
            "path": self.public_path,
            "namespaces": self.namespaces,
            "every_pipeline": EVERY_PIPELINE,
        }


def _path(url: str) -> str:
    return urlsplit(url).path.rstrip("/")
