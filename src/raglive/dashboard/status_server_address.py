"""The public address of the status server."""

from __future__ import annotations

from typing import Any

from starlette.requests import HTTPConnection

from raglive.http_api.allowed_hosts import host_name
from raglive.settings import Settings

__all__ = ["StatusServerAddress"]

_EVERYWHERE = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - compared, not bound


class StatusServerAddress:
    """The status server's URL, Socket.IO path and namespaces."""

    def __init__(self, settings: Settings) -> None:
        self.own_url = settings.public_status_url
        self.path = settings.socket_path
        self.namespaces = [f"/{kind}" for kind in settings.pipeline_types]
        self._follows_host = settings.status_url is None and settings.host in _EVERYWHERE
        self._port = settings.status_port

    def url(self, request: HTTPConnection) -> str:
        """Derive the URL for the caller: the status server on the host of the request.

        RAGLIVE_STATUS_URL takes precedence, and so does the one address that is listened on.
        """
        host = host_name(request.headers.get("host", "")) if self._follows_host else None
        if host is None:
            return self.own_url
        return f"http://{f'[{host}]' if ':' in host else host}:{self._port}"

    def public(self, request: HTTPConnection) -> dict[str, Any]:
        """Build `WebSocketPlace` for the caller."""
        return {"url": self.url(request), "path": self.path, "namespaces": self.namespaces}
