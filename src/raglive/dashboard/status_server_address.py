"""The addresses of the status server: the public one, and the one that this server uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.requests import HTTPConnection

from raglive.http_api.allowed_hosts import host_name
from raglive_contract.socket import EVERY_PIPELINE

__all__ = ["StatusServerAddress"]


@dataclass(frozen=True, slots=True)
class StatusServerAddress:
    """The status server's URLs, Socket.IO path, and pipeline types, each with a namespace.

    Browsers are told `public_url`. The dashboard server itself uses only `internal_url`, which no
    proxy, certificate or public name affects. `port_on_any_host` is the port when the status server
    listens on every address of the host and no public URL is configured; otherwise None.
    """

    public_url: str
    internal_url: str
    path: str
    pipeline_types: tuple[str, ...]
    port_on_any_host: int | None = None

    @property
    def namespaces(self) -> list[str]:
        """The Socket.IO namespaces."""
        return [f"/{kind}" for kind in self.pipeline_types]

    def url(self, request: HTTPConnection) -> str:
        """Choose the caller's URL: its own host with `port_on_any_host`, else `public_url`."""
        if self.port_on_any_host is None:
            return self.public_url
        host = host_name(request.headers.get("host", ""))
        if host is None:
            return self.public_url
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port_on_any_host}"

    def public(self, request: HTTPConnection) -> dict[str, Any]:
        """Build `WebSocketPlace` for the caller."""
        return {
            "url": self.url(request),
            "path": self.path,
            "namespaces": self.namespaces,
            "every_pipeline": EVERY_PIPELINE,
        }
