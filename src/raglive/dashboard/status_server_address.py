"""The public address of the status server."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.requests import HTTPConnection

from raglive.http_api.allowed_hosts import host_name

__all__ = ["StatusServerAddress"]


@dataclass(frozen=True, slots=True)
class StatusServerAddress:
    """The status server's URL, Socket.IO path, and pipeline types, each with a namespace.

    `port_on_any_host` is its port when it listens on every address of the host and no public URL
    is configured; otherwise None.
    """

    own_url: str
    path: str
    pipeline_types: tuple[str, ...]
    port_on_any_host: int | None = None

    @property
    def namespaces(self) -> list[str]:
        """The Socket.IO namespaces."""
        return [f"/{kind}" for kind in self.pipeline_types]

    def url(self, request: HTTPConnection) -> str:
        """Derive the URL for the caller: its own host with `port_on_any_host`, else `own_url`."""
        if self.port_on_any_host is None:
            return self.own_url
        host = host_name(request.headers.get("host", ""))
        if host is None:
            return self.own_url
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port_on_any_host}"

    def public(self, request: HTTPConnection) -> dict[str, Any]:
        """Build `WebSocketPlace` for the caller."""
        return {"url": self.url(request), "path": self.path, "namespaces": self.namespaces}
