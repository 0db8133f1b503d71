"""Where browsers find the status server."""

from __future__ import annotations

from typing import Any

from starlette.requests import HTTPConnection

from raglive.http_api.hosts import host_name
from raglive.settings import Settings

__all__ = ["StatusPlace"]

_EVERYWHERE = frozenset({"0.0.0.0", "::", ""})  # noqa: S104 - compared, not bound


class StatusPlace:
    """The status server's address, path and namespaces."""

    def __init__(self, settings: Settings) -> None:
        self.own_url = settings.public_status_url
        self.path = settings.socket_path
        self.namespaces = [f"/{kind}" for kind in settings.pipeline_types]
        self._follows_host = settings.status_url is None and settings.host in _EVERYWHERE
        self._port = settings.status_port

    def url(self, request: HTTPConnection) -> str:
        """Return the address for the caller: on the host that it found the dashboard on.

        Unless RAGLIVE_STATUS_URL says otherwise, or only one address is listened on.
        """
        host = host_name(request.headers.get("host", "")) if self._follows_host else None
        if host is None:
            return self.own_url
        return f"http://{f'[{host}]' if ':' in host else host}:{self._port}"

    def described(self, request: HTTPConnection) -> dict[str, Any]:
        """Return `WebSocketPlace`."""
        return {"url": self.url(request), "path": self.path, "namespaces": self.namespaces}
